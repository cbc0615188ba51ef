"""The IMAK therapy in full: drugs, donor cells, their rejection, tumour, toxicity.

Days; 19 states of the whole body. With C = Acy/cy_V (mg/L), c = 1e3 Ic/il2_V (IU/mL),
D = N + DA + DB, L = e^lS + e^lR, x/(y + x) written sat(x, y), b = 1 - a, and m = 1 for
an unrelated donor, rej_mhap for a haploidentical one:

    Acy' = -(cy_CL/cy_V)(1 + Enz) Acy            Enz' = kenz (Emax sat(C, EC50) - Enz)
    Isc' = -ka Isc                               Ic'  = ka Isc - (CL/V) Ic
    R1'  = -(CL/V1 + Q/V1) R1 + (Q/V2) R2        R2'  = (Q/V1) R1 - (Q/V2) R2
    H'   = rH H ln(H0/H) - EH C H
    A0'  = -kp s A0 - (EH C + veto) A0           s = sat(D, D50)
    A1'  = kp s A0 + (rho s - kd) A1 - (EH C + veto) A1
    A2'  = kd A1 - dE A2 - (EH C + veto) A2
    N'   = (rhoN fN r - dN - dW (1 - fN) - rej - EH C) N
    DA'  = (G rhoA (a + b fT) min(r, 1.5) - dA - dW b (1 - fT) - rej - EH C) DA
    DB'  = (rhoB fT r - dB - dW (1 - fT) - rej - EH C) DB
    lS'  = g (1 - L/K) - (kD + kZ) - EL C - kdir occ
    lR'  = g (1 - L/K) - (1 - evade)(kD + kZ) - EL C - kdir occ
    Z'   = z_rho sat(L, L50) sat(A2 + DA, e50) Z (1 - Z/K_Z) - z_d (Z - Z0)
    S'   = sA (A2 + DA) s/1e9 + sI c/10 + sK (kD + kZ) L/1e9 - d S
    X'   = DA/1e11                               Spk' = 8 max(S - Spk, 0)

with fT, fN = sat(c, EC50T), sat(c, EC50N); r = (H0/(H + D))^space; G = DA/(DA + 10);
rej = kap A2/(rej_h + A2 + D); veto = kapG DA/(rej_h + DA + A1 + A2);
E = site (eN (1 + alpha occ) N + DA + eB DB); kD = kap E/(h + E + L);
kZ = z_kap Z/(h + Z + L); occ = CD20 sat(R1/V1, EC50). S is the cytokine signal.

It starts with H0 host cells; 0.7 rej_f m H0 of them recognise the donor. Of the `cells`
given the share don_surv arrives: fN as N, fT m fallo as DA, the rest as DB. Rejection
leaves killers behind: a second infusion meets a sensitised host.
cy_Emax_ind = { fixed = 0 } switches the induction of clearance off.

Reference: beside the parameters; what is called a hypothesis is one.
"""

from collections.abc import Mapping
from typing import NamedTuple

import jax.numpy as jnp

from imak_pkpd.model import (
    AbstractModel,
    Dosing,
    Inputs,
    Scalar,
    mechanisms as m,
    parameter,
)

AHMED = "Ahmed et al. 2020, 10.3389/fphar.2020.00406"
KIMMEL = "Kimmel et al. 2021, 10.1098/rspb.2021.0229"
KONRAD = "Konrad et al. 1990, PMID 2317789"
KIRCHNER = "Kirchner et al. 1998, 10.1046/j.1365-2125.1998.00036.x"
PHASE_1 = "Slavin et al. 2010, 10.1007/s00262-010-0878-1"
LEE = "Lee et al. 1995, Blood 85:1207"
RUBNITZ = "Rubnitz et al. 2010, 10.1200/JCO.2009.24.4590"
ZHANG = "Zhang et al. 2007, 10.1111/j.1365-2567.2007.02573.x"
OMMEN = "Ommen et al. 2010, Blood 115:198"
DEWALD = "Dewald et al. 1993, PMID 8401362"
ONE_OF_TWO = "one of two haplotypes"
HALLE = "2-16 kills per killer and day in vivo: Halle et al. 2016, Immunity 44:233"
MLR = "1-10 % of T cells respond in a mixed culture; 1:241-1:486 in limiting dilution"
RUBIO = "immunity after rejection in mice: Rubio et al. 2003, Blood 102:2300"
CANDELARIA = "Candelaria et al. 2018, 10.1007/s00280-018-3524-9"
BAR = "scaled to donor lymphocytes: Bar et al. 2013, 10.1016/j.bbmt.2013.03.001"
BOOK = "textbook"
ASSUMED = "hypothesis"

GRADES = ("grade_1", "grade_2", "grade_3", "grade_4")  # P(toxicity of at least ...)
T_SHARE = 0.7  # of host lymphocytes are T cells (textbook)
MOST = 1.0 - 1e-9  # of a tumour may evade: a share of 1 would leave ln 0


class Body(NamedTuple):
    """Drugs in mg or 1e6 IU, cells of the whole body; lS, lR are ln of cells."""

    Acy: Scalar
    Enz: Scalar
    Isc: Scalar
    Ic: Scalar
    R1: Scalar
    R2: Scalar
    H: Scalar
    A0: Scalar
    A1: Scalar
    A2: Scalar
    N: Scalar
    DA: Scalar
    DB: Scalar
    lS: Scalar
    lR: Scalar
    Z: Scalar
    S: Scalar
    X: Scalar
    Spk: Scalar


Rates = Mapping[str, Scalar]  # some states, or their d/dt, by name


class ImakFull(AbstractModel):
    time = "day"
    doses = {"cyclophosphamide": "mg", "cells": "cells"}
    doses |= {"il2": "1e6 IU", "rituximab": "mg"}
    outputs = {
        **{"nk": "cells/uL", "t": "cells/uL", "host": "cells/uL"},
        **dict.fromkeys(("donor", "tumour", "remission_limit"), "cells"),
        **{"cyclophosphamide": "mg/L", "il2": "IU/mL", "rituximab": "mg/L"},
        **dict.fromkeys(("chimerism", "positive", "clonogenic", "gvhd"), ""),
        **dict.fromkeys(("cytokine_peak", *GRADES), ""),
        **dict.fromkeys(("ln_sensitive", "ln_evading"), "ln cells"),
        **dict.fromkeys(("kill_sensitive", "kill_evading"), "1/day"),
    }
    forcing = (("Isc", "Ic"), ("R1", "R2"))  # the other 13 states are stepped,
    logarithms = ("Acy", "A0", "N", "DA", "DB")  # and X and Spk follow
    tops = ("S",)

    # The patient and the donor: columns of the data.
    unrelated: Scalar = parameter("", "1: donor unrelated, 0: haplo", "", "identity")
    cd20: Scalar = parameter("", "1: CD20+ tumour, else 0", "", "identity")
    # Cyclophosphamide and host lymphocytes.
    cy_CL: Scalar = parameter("L/day", "clearance of cyclophosphamide", AHMED)
    cy_V: Scalar = parameter("L", "volume of cyclophosphamide", AHMED)
    cy_Emax_ind: Scalar = parameter("", "induction of clearance", "PMID 1937169")
    cy_EC50_ind: Scalar = parameter("mg/L", "concentration for half of it", ASSUMED)
    cy_kenz: Scalar = parameter("1/day", "turnover of the enzyme", BOOK)
    cy_EH: Scalar = parameter("L/mg/day", "lymphocytes it kills", "PMID 6409485")
    cy_EL: Scalar = parameter("L/mg/day", "tumour cells it kills", ASSUMED)
    host_rH: Scalar = parameter("1/day", "recovery of host lymphocytes", KIMMEL)
    host_H0: Scalar = parameter("cells", "host lymphocytes at rest", KIMMEL)
    # Subcutaneous IL-2.
    il2_F: Scalar = parameter("", "share of IL-2 absorbed", KONRAD, "logit")
    il2_ka: Scalar = parameter("1/day", "absorption of IL-2", KIRCHNER)
    il2_CL: Scalar = parameter("L/day", "clearance of IL-2", KIRCHNER)
    il2_V: Scalar = parameter("L", "volume of IL-2", KONRAD)
    il2_EC50T: Scalar = parameter("IU/mL", "IL-2 for half its effect on T", BOOK)
    il2_EC50N: Scalar = parameter("IU/mL", "IL-2 for half its effect on NK", BOOK)
    # The product and the donor cells.
    prod_fT: Scalar = parameter("", "T cells in the product", PHASE_1, "logit")
    prod_fN: Scalar = parameter("", "NK cells in the product", PHASE_1, "logit")
    don_surv: Scalar = parameter("", "infused cells that survive", LEE, "logit")
    don_fb: Scalar = parameter("", "share of lymphocytes in blood", BOOK)
    don_fallo: Scalar = parameter("", "alloreactive T cells at full mismatch", MLR)
    don_rhoN: Scalar = parameter("1/day", "division of NK cells", RUBNITZ)
    don_rhoA: Scalar = parameter("1/day", "division of alloreactive T cells", LEE)
    don_rhoB: Scalar = parameter("1/day", "division of bystander T cells", ASSUMED)
    don_dN: Scalar = parameter("1/day", "death of NK cells", ZHANG)
    don_dA: Scalar = parameter("1/day", "death of alloreactive T cells", ASSUMED)
    don_dB: Scalar = parameter("1/day", "death of bystander T cells", ASSUMED)
    don_dW: Scalar = parameter("1/day", "further death without IL-2", ASSUMED)
    don_space: Scalar = parameter("", "exponent of the room to divide", ASSUMED)
    don_auto: Scalar = parameter("", "division without IL-2", ASSUMED, "logit")
    # Host against graft.
    rej_f: Scalar = parameter("", "host T cells against a full mismatch", MLR)
    rej_mhap: Scalar = parameter("", "haploidentical mismatch", ONE_OF_TWO, "logit")
    rej_kp: Scalar = parameter("1/day", "priming of host cells", BOOK)
    rej_D50: Scalar = parameter("cells", "donor cells for half the antigen", ASSUMED)
    rej_rho: Scalar = parameter("1/day", "division of primed host cells", BOOK)
    rej_kd: Scalar = parameter("1/day", "primed host cells becoming killers", BOOK)
    rej_dE: Scalar = parameter("1/day", "loss of host killers", BOOK)
    rej_kap: Scalar = parameter("1/day", "donor cells killed per host killer", HALLE)
    rej_h: Scalar = parameter("cells", "half-saturation of rejection", ASSUMED)
    rej_kapG: Scalar = parameter("1/day", "host cells killed by the donor", ASSUMED)
    chi_den: Scalar = parameter("", "cells scored per host lymphocyte", ASSUMED)
    chi_fp: Scalar = parameter("", "host cells scored as the donor's", DEWALD)
    # Tumour, and the host's immunity against it.
    tum_log10B0: Scalar = parameter("log10 cells", "tumour", ASSUMED, "identity")
    tum_g: Scalar = parameter("1/day", "growth of tumour", OMMEN)
    tum_K: Scalar = parameter("cells", "capacity of tumour", BOOK)
    tum_kap: Scalar = parameter("1/day", "tumour cells killed per effector", HALLE)
    tum_h: Scalar = parameter("cells", "half-saturation of tumour kill", KIMMEL)
    tum_site: Scalar = parameter("", "effectors at the tumour", ASSUMED, "logit")
    tum_eN: Scalar = parameter("", "potency of an NK cell", ASSUMED)
    tum_eB: Scalar = parameter("", "potency of a bystander T cell", ASSUMED)
    tum_log10phiR: Scalar = parameter("log10", "evading share", ASSUMED, "identity")
    tum_evade: Scalar = parameter("", "kill that it evades", ASSUMED, "logit")
    tum_turn: Scalar = parameter("", "death over birth of tumour", ASSUMED, "logit")
    tum_log10clono: Scalar = parameter("log10", "clonogenic share", BOOK, "identity")
    out_log10LCR: Scalar = parameter("log10 cells", "remission", BOOK, "identity")
    z_Z0: Scalar = parameter("cells", "host bystander cells at rest", ASSUMED)
    z_rho: Scalar = parameter("1/day", "expansion of host bystander cells", RUBIO)
    z_K: Scalar = parameter("cells", "capacity of host bystander cells", ASSUMED)
    z_d: Scalar = parameter("1/day", "loss of host bystander cells", BOOK)
    z_kap: Scalar = parameter("1/day", "tumour cells killed per bystander cell", HALLE)
    z_L50: Scalar = parameter("cells", "tumour for half the antigen", ASSUMED)
    z_e50: Scalar = parameter("cells", "responders for half the help", ASSUMED)
    # Rituximab.
    rtx_CL: Scalar = parameter("L/day", "clearance of rituximab", CANDELARIA)
    rtx_V1: Scalar = parameter("L", "central volume", CANDELARIA)
    rtx_Q: Scalar = parameter("L/day", "inter-compartmental clearance", CANDELARIA)
    rtx_V2: Scalar = parameter("L", "peripheral volume", CANDELARIA)
    rtx_EC50: Scalar = parameter("mg/L", "rituximab for half the effect", ASSUMED)
    rtx_alpha: Scalar = parameter("", "largest gain of NK potency", ASSUMED)
    rtx_kdir: Scalar = parameter("1/day", "kill without donor NK cells", ASSUMED)
    # Toxicity and graft-versus-host disease.
    tox_sA: Scalar = parameter("1/day", "cytokine from the reaction", ASSUMED)
    tox_sI: Scalar = parameter("1/day", "cytokine from IL-2", ASSUMED)
    tox_sK: Scalar = parameter("1/day", "cytokine from tumour kill", ASSUMED)
    tox_d: Scalar = parameter("1/day", "loss of cytokine", ASSUMED)
    tox_beta: Scalar = parameter("", "slope of the grades", ASSUMED)
    tox_c1: Scalar = parameter("", "cut of grade 1", ASSUMED, "identity")
    tox_c2: Scalar = parameter("", "cut of grade 2", ASSUMED, "identity")
    tox_c3: Scalar = parameter("", "cut of grade 3", ASSUMED, "identity")
    tox_c4: Scalar = parameter("", "cut of grade 4", ASSUMED, "identity")
    gvh_theta: Scalar = parameter("1/(1e11 cell day)", "hazard of GVHD", BAR)

    def initial(self, inputs: Inputs) -> Body:
        zero = jnp.zeros_like(self.host_H0)
        evading = jnp.minimum(10.0**self.tum_log10phiR, MOST)
        log_tumour = self.tum_log10B0 * jnp.log(10.0)
        return Body(*(zero,) * len(Body._fields))._replace(
            H=self.host_H0,
            A0=T_SHARE * self.host_H0 * self.rej_f * self.mismatch,
            lS=log_tumour + jnp.log1p(-evading),
            lR=log_tumour + jnp.log(evading),
            Z=self.z_Z0,
        )

    @property
    def mismatch(self) -> Scalar:
        return self.unrelated + (1.0 - self.unrelated) * self.rej_mhap

    def dosing(self, name: str) -> Dosing:
        return Dosing(F={"cells": self.don_surv, "il2": self.il2_F}.get(name))

    def dose(self, state: Body, name: str, amount: Scalar) -> Body:
        if name == "cells":
            N, DA, DB = self.product(amount)
            return state._replace(N=state.N + N, DA=state.DA + DA, DB=state.DB + DB)
        into = {"cyclophosphamide": "Acy", "il2": "Isc", "rituximab": "R1"}[name]
        return state._replace(**{into: getattr(state, into) + amount})

    def product(self, cells: Scalar) -> m.DonorCells:
        alloreactive = self.prod_fT * self.mismatch * self.don_fallo
        return m.product_cells(cells, NK=self.prod_fN, alloreactive=alloreactive)

    def rates(self, t: Scalar, state: Body, inputs: Inputs) -> Body:
        toxic = self.cy_EH * state.Acy / self.cy_V
        tumour = m.cells_of_log(state.lS) + m.cells_of_log(state.lR)
        kills = self.kills(state, tumour)
        return Body(
            **self.drugs(state, inputs.infusion),
            **self.host(state, toxic),
            **self.donor(state, toxic, inputs.infusion["cells"]),
            **self.tumour(state, tumour, kills),
            **self.harm(state, kills.cells * tumour),
        )

    def drugs(self, state: Body, given: Mapping[str, Scalar]) -> Rates:
        """Cyclophosphamide, IL-2 and rituximab."""
        il2 = m.il2_disposition(
            state.Isc, state.Ic, ka=self.il2_ka, CL=self.il2_CL, V=self.il2_V
        )
        rituximab = m.rituximab_disposition(
            state.R1, state.R2, CL=self.rtx_CL, V1=self.rtx_V1, Q=self.rtx_Q,
            V2=self.rtx_V2,
        )  # fmt: skip
        volume = {"CL": self.cy_CL, "V": self.cy_V}
        eliminated = m.cyclophosphamide_elimination(state.Acy, state.Enz, **volume)
        induced = m.autoinduction(
            state.Enz, state.Acy / self.cy_V, greatest=self.cy_Emax_ind,
            half=self.cy_EC50_ind, rate=self.cy_kenz,
        )  # fmt: skip
        return {
            "Acy": given["cyclophosphamide"] + eliminated,
            "Enz": induced,
            "Isc": given["il2"] + il2.depot,
            "Ic": il2.central,
            "R1": given["rituximab"] + rituximab.central,
            "R2": rituximab.peripheral,
        }

    def host(self, state: Body, toxic: Scalar) -> Rates:
        """Host lymphocytes, and those of them that answer to the donor."""
        recovery = m.gompertz_recovery(state.H, rate=self.host_rH, rest=self.host_H0)
        answer = m.host_response(
            state.A0, state.A1, state.A2, self.antigen(state), toxic + self.veto(state),
            priming=self.rej_kp, division=self.rej_rho, maturation=self.rej_kd,
            death=self.rej_dE,
        )  # fmt: skip
        return {
            "H": state.H * (recovery - toxic),
            "A0": answer.naive,
            "A1": answer.primed,
            "A2": answer.killers,
        }

    def antigen(self, state: Body) -> Scalar:
        return m.saturation(state.N + state.DA + state.DB, self.rej_D50)

    def veto(self, state: Body) -> Scalar:
        against = {"primed": state.A1, "killers": state.A2, "half": self.rej_h}
        return m.veto(state.DA, greatest=self.rej_kapG, **against)

    def donor(self, state: Body, toxic: Scalar, arriving: Scalar) -> Rates:
        """NK, alloreactive and other donor cells."""
        il2, donor = self.il2(state), state.N + state.DA + state.DB
        on_T, on_N = (m.saturation(il2, x) for x in (self.il2_EC50T, self.il2_EC50N))
        room = m.lymphopenia(state.H, donor, rest=self.host_H0, exponent=self.don_space)
        bound = {"greatest": self.rej_kap, "half": self.rej_h}
        lost = toxic + m.rejection(state.A2, donor, **bound)
        N = m.il2_dependent_growth(
            on_N, room, division=self.don_rhoN, death=self.don_dN,
            withdrawal=self.don_dW,
        )  # fmt: skip
        DA = m.antigen_driven_growth(
            state.DA, on_T, room, division=self.don_rhoA, death=self.don_dA,
            withdrawal=self.don_dW, autocrine=self.don_auto,
        )  # fmt: skip
        DB = m.il2_dependent_growth(
            on_T, room, division=self.don_rhoB, death=self.don_dB,
            withdrawal=self.don_dW,
        )  # fmt: skip
        new_N, new_DA, new_DB = self.product(arriving)
        return {
            "N": new_N + state.N * (N - lost),
            "DA": new_DA + state.DA * (DA - lost),
            "DB": new_DB + state.DB * (DB - lost),
        }

    def kills(self, state: Body, tumour: Scalar) -> m.Kills:
        occupied = m.occupancy(state.R1 / self.rtx_V1, self.cd20, half=self.rtx_EC50)
        potency = self.tum_eN * (1.0 + self.rtx_alpha * occupied)
        effectors = self.tum_site * (
            potency * state.N + state.DA + self.tum_eB * state.DB
        )
        bound = {"greatest": self.tum_kap, "half": self.tum_h}
        donor = m.doubly_saturated(effectors, tumour, **bound)
        host = m.doubly_saturated(state.Z, tumour, greatest=self.z_kap, half=self.tum_h)
        drugs = self.cy_EL * state.Acy / self.cy_V + self.rtx_kdir * occupied
        return m.Kills(donor + host, drugs)

    def tumour(self, state: Body, tumour: Scalar, kills: m.Kills) -> Rates:
        """Both clones, and the host's immunity against them."""
        growth = m.logistic_growth(tumour, rate=self.tum_g, capacity=self.tum_K)
        bystander = m.bystander_expansion(
            state.Z, tumour, state.A2 + state.DA, division=self.z_rho,
            half_antigen=self.z_L50, half_help=self.z_e50, capacity=self.z_K,
            death=self.z_d, rest=self.z_Z0,
        )  # fmt: skip
        return {
            "lS": growth - kills.cells - kills.drugs,
            "lR": growth - (1.0 - self.tum_evade) * kills.cells - kills.drugs,
            "Z": bystander,
        }

    def harm(self, state: Body, killed: Scalar) -> Rates:
        """The cytokine signal and its peak, and the exposure to alloreactive cells."""
        released = m.cytokine_release(
            state.A2 + state.DA, self.antigen(state), self.il2(state), killed,
            from_reaction=self.tox_sA, from_il2=self.tox_sI, from_kill=self.tox_sK,
        )  # fmt: skip
        return {
            "S": released - self.tox_d * state.S,
            "X": m.gvhd_exposure(state.DA),
            "Spk": m.running_peak(state.S, state.Spk),
        }

    def losses(self, state: Body) -> Rates:
        slow = {"H": self.host_rH, "Z": self.z_d, "Enz": self.cy_kenz, "S": self.tox_d}
        veto, divided = self.veto(state), self.rej_rho * self.antigen(state)
        return {**slow, "A1": self.rej_kd + veto - divided, "A2": self.rej_dE + veto}

    def follow(self, before: Body, after: Body, duration: Scalar) -> Rates:
        """X and Spk at the end of an interval."""
        exposed = m.gvhd_exposure_over(before.DA, after.DA, duration)
        peak = m.running_peak_after(before.S, after.S, before.Spk, duration)
        return {"X": before.X + exposed, "Spk": peak}

    def il2(self, state: Body) -> Scalar:
        return m.il2_concentration(state.Ic, V=self.il2_V)

    def observe(self, t: Scalar, state: Body, inputs: Inputs) -> Mapping[str, Scalar]:
        tumour = m.cells_of_log(state.lS) + m.cells_of_log(state.lR)
        kills, donor = self.kills(state, tumour), state.N + state.DA + state.DB
        cuts = self.tox_c1, self.tox_c2, self.tox_c3, self.tox_c4
        chimerism = m.chimerism(donor, state.H, scored=self.chi_den)
        grades = [m.grade_at_least(state.Spk, cut, slope=self.tox_beta) for cut in cuts]
        return {
            "nk": m.per_microlitre(state.N, blood_share=self.don_fb),
            "t": m.per_microlitre(state.DA + state.DB, blood_share=self.don_fb),
            "host": m.per_microlitre(state.H, blood_share=self.don_fb),
            "chimerism": chimerism,
            "positive": chimerism + (1.0 - chimerism) * self.chi_fp,
            "donor": donor,
            # 1 + L is a soft floor at one cell: far below it the gradient fades out.
            "tumour": 1.0 + tumour,
            "remission_limit": 10.0**self.out_log10LCR,
            "cyclophosphamide": state.Acy / self.cy_V,
            "il2": self.il2(state),
            "rituximab": state.R1 / self.rtx_V1,
            "cytokine_peak": state.Spk,
            **dict(zip(GRADES, grades, strict=True)),
            "gvhd": m.gvhd_probability(state.X, hazard=self.gvh_theta),
            "ln_sensitive": state.lS,
            "kill_sensitive": kills.cells + kills.drugs,
            "ln_evading": state.lR,
            "kill_evading": (1.0 - self.tum_evade) * kills.cells + kills.drugs,
            "clonogenic": 10.0**self.tum_log10clono,
        }
