"""The shipped fit of published donor-cell kinetics, with fewer draws."""

import re
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from scipy.integrate import solve_ivp
from scipy.stats import binom, norm

from imak_pkpd.fit.evidence_fit import begin_evidence, run_evidence
from imak_pkpd.fit.problem import read_model
from imak_pkpd.fit.run import POSTERIOR
from imak_pkpd.fit.spec import FitSpec, read_fit
from imak_pkpd.fit.tree import read_tree
from imak_pkpd.fit.virtual import Virtual, median_sites, virtual_cohort

FIT = "fits/130-donor-kinetics-literature.toml"
SHORT = {"prior_draws": 1000, "refined_draws": 200, "sampler": "weights"}
WIDER = {"il2_EC50N", "don_rhoN", "don_dN", "don_dW", "don_dB"}


@pytest.fixture(scope="module")
def spec(root: Path) -> FitSpec:
    return read_fit(root / FIT)


def test_it_is_read(spec: FitSpec) -> None:
    """In agreement with its model; only published counts, each of a named study."""
    read_model(spec)
    assert all(fact.study and fact.source for fact in spec.evidence.values())
    assert {fact.study for fact in spec.evidence.values()} == {*spec.study}


def test_imak_is_predicted_and_not_fitted(spec: FitSpec) -> None:
    """Its outcomes stand beside, and those of 2010 and 2023 may be of one patient."""
    ours = {n: f.use for n, f in spec.evidence.items() if f.cohort == "trial"}
    assert ours == {"imak_no_male_cells": False, "imak_no_engraftment": False}
    assert any("slavin2023 and slavin2010 may have" in s for s in spec.double_use)


def test_everything_given_has_a_source(spec: FitSpec) -> None:
    for block in spec.cohort.values():
        for design in (*block.covariate.values(), *block.group.values()):
            assert design.source
        for dose in block.dose.values():
            assert dose.source or dose.amount.source


def test_priors_of_the_same_sources_are_owned_up_to(spec: FitSpec) -> None:
    """A prior whose source has the authors and year of a study of used facts."""
    for name in {fact.study for fact in spec.evidence.values() if fact.use}:
        author, year = re.fullmatch(r"([a-z]+)(\d+)", name).groups()
        cites = re.compile(rf"{author}.*{year}", re.IGNORECASE)
        named = {n for n, line in spec.theta.items() if cites.search(line.source)}
        assert named <= {*spec.study[name].informed}


def test_priors_are_wider_where_the_facts_are_to_speak(
    spec: FitSpec, root: Path
) -> None:
    before = read_fit(root / "fits/190-imak-prior.toml").theta
    changed = {n for n, line in spec.theta.items() if line != before[n]}
    assert changed == {*WIDER, "prod_fT", "prod_fN"}
    for name in WIDER:
        assert spec.theta[name].median == before[name].median
        assert spec.theta[name].gsd > before[name].gsd


@pytest.fixture(scope="module")
def nguyen(spec: FitSpec) -> Virtual:
    return virtual_cohort(spec, read_model(spec), "nguyen", patients=4)


def independent(p: dict[str, float], cells: float, day: float) -> dict[str, float]:
    """Host, NK cells and chimerism on `day`, in linear states, by SciPy's LSODA.

    The equations of the full model, without its T cells: of a product of which one cell
    in ten thousand is one, they are a share of 1e-4 of the antigen. IL-2 in 1e6 IU.
    """
    plan = [(t, "cy", p["cy"]) for t in (-7, -6, -5, -4, -3, -2)]
    plan += [(t, "il2", p["il2"] * p["il2_F"]) for t in (-1, 1, 3, 5, 7, 9)]
    plan += [(0, "cells", cells * p["don_surv"])]
    A0 = 0.7 * p["host_H0"] * p["rej_f"] * p["rej_mhap"]
    y = np.array([0, 0, 0, 0, p["host_H0"], A0, 0, 0, 0, 0], float)
    now = -7.0
    for time, what, amount in [
        *sorted(each for each in plan if each[0] <= day),
        (day, "end", 0.0),
    ]:
        if time > now:
            y = solve_ivp(
                lambda t, y: rates(y, p), (now, time), y, "LSODA", rtol=1e-9, atol=1e-6
            ).y[:, -1]
            now = time
        y[0] += amount * (what == "cy")
        y[2] += amount * (what == "il2")
        y[8] += amount * p["prod_fN"] * (what == "cells")
        y[9] += amount * (1 - p["prod_fN"]) * (what == "cells")
    donor = y[8] + y[9]
    return {
        "nk": y[8] * p["don_fb"] / 5e6,
        "mixed": donor / (donor + p["chi_den"] * y[4]),
    }


def rates(y: np.ndarray, p: dict[str, float]) -> np.ndarray:
    """d/dt of Acy, Enz, Isc, Ic, H, A0, A1, A2, N, DB."""
    Acy, Enz, Isc, Ic, H, A0, A1, A2, N, DB = y
    c_cy, c_il2, D = Acy / p["cy_V"], 1e3 * Ic / p["il2_V"], N + DB
    toxic = p["cy_EH"] * c_cy
    fN, fT = (c_il2 / (p[half] + c_il2) for half in ("il2_EC50N", "il2_EC50T"))
    s = D / (D + p["rej_D50"])
    room = (p["host_H0"] / (H + D)) ** p["don_space"]
    lost = toxic + p["rej_kap"] * A2 / (p["rej_h"] + A2 + D)
    induced = p["cy_Emax_ind"] * c_cy / (p["cy_EC50_ind"] + c_cy) - Enz
    grows_N = p["don_rhoN"] * fN * room - p["don_dN"] - p["don_dW"] * (1 - fN)
    grows_B = p["don_rhoB"] * fT * room - p["don_dB"] - p["don_dW"] * (1 - fT)
    return np.array(
        [
            -p["cy_CL"] / p["cy_V"] * (1 + Enz) * Acy,
            p["cy_kenz"] * induced,
            -p["il2_ka"] * Isc,
            p["il2_ka"] * Isc - p["il2_CL"] / p["il2_V"] * Ic,
            p["host_rH"] * H * np.log(p["host_H0"] / H) - toxic * H,
            -p["rej_kp"] * s * A0 - toxic * A0,
            p["rej_kp"] * s * A0 + (p["rej_rho"] * s - p["rej_kd"]) * A1 - toxic * A1,
            p["rej_kd"] * A1 - p["rej_dE"] * A2 - toxic * A2,
            (grows_N - lost) * N,
            (grows_B - lost) * DB,
        ]
    )


@pytest.mark.slow
def test_a_design_is_given_as_written(nguyen: Virtual) -> None:
    """NK cells of four patients at the prior medians to 2 %: the mesh's error of 1e-4 a
    step, and the T cells that the independent equations leave out."""
    sites = median_sites(nguyen)
    model, _ = nguyen.individuals(sites)
    found = nguyen.outcomes(sites, ("nk_day_7", "nk_day_14", "gone_day_7"))
    for i in range(4):
        p = {n: float(np.broadcast_to(v, 4)[i]) for n, v in vars(model).items()}
        p |= {"cy": 1300 * 1.831, "il2": 1.831}
        cells = 1.25e7 * float(nguyen.patients.amounts["cells"][i])
        for day in (7.0, 14.0):
            got = float(found[f"nk_day_{day:.0f}"][i])
            assert got == pytest.approx(independent(p, cells, day)["nk"], rel=0.02)
        mixed = independent(p, cells, 7.0)["mixed"]
        want = norm.cdf(np.log(0.001 / mixed) / 0.5)
        assert float(found["gone_day_7"][i]) == pytest.approx(want, abs=0.02)


@pytest.fixture(scope="module")
def tree(spec: FitSpec, tmp_path_factory: pytest.TempPathFactory) -> xr.DataTree:
    runs = tmp_path_factory.mktemp("runs")
    short, model, folder = begin_evidence(spec, runs, overrides=SHORT)
    run_evidence(short, model, folder)
    return read_tree(folder / POSTERIOR)


@pytest.mark.slow
def test_weights_are_those_of_the_counts(tree: xr.DataTree, spec: FitSpec) -> None:
    """ln weights by SciPy's binomial from the stored means, to rounding."""
    refined = tree["refined"].to_dataset()
    total = refined["log_proposal"].values.copy()
    for fact in spec.evidence.values():
        if fact.use:
            mean = refined[fact.of].sel(cohort=fact.cohort).values
            total += binom.logpmf(fact.k, fact.n, np.clip(mean, 1e-9, 1 - 1e-9))
    weight = refined["log_weight"].values
    solved = np.isfinite(weight)
    np.testing.assert_allclose(np.ptp((total - weight)[solved]), 0.0, atol=1e-6)
