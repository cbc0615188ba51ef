"""A drug under the skin whose binding to a receptor is 1e5 times faster than its loss.

    depot'    = -ka depot
    free'     = ka depot - (ke + k12) free + k21 tissue - binding
    tissue'   = k12 free - k21 tissue
    receptor' = kdeg (R0 - receptor) - binding
    bound'    = binding - kint bound,  binding = kon free receptor - koff bound

Reference: target-mediated disposition of Mager & Jusko 2001, J Pharmacokinet
Pharmacodyn 28:507, with the rates of IL-2 and its receptor alpha: 1.4e7 per M and s,
and half of the complexes fall apart in 1.7 s (Wang & Smith 1987, J Exp Med 166:1055).
"""

from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import jax.numpy as jnp

from imak_pkpd.model import AbstractModel, Inputs, Scalar, parameter


class Bound(NamedTuple):
    depot: Scalar
    free: Scalar
    tissue: Scalar
    receptor: Scalar
    bound: Scalar


class Receptor(AbstractModel):
    """Amounts in 1 L: nmol and nM are the same number."""

    time = "h"
    doses: ClassVar[dict[str, str]] = {"drug": "nmol"}
    outputs: ClassVar[dict[str, str]] = {"concentration": "nM"}
    ka: Scalar = parameter("1/h", "absorption", "assumed")
    ke: Scalar = parameter("1/h", "elimination", "assumed")
    k12: Scalar = parameter("1/h", "into tissue", "assumed")
    k21: Scalar = parameter("1/h", "out of tissue", "assumed")
    kon: Scalar = parameter("1/nM/h", "binding", "Wang & Smith 1987")
    koff: Scalar = parameter("1/h", "unbinding", "Wang & Smith 1987")
    kint: Scalar = parameter("1/h", "internalisation", "assumed")
    kdeg: Scalar = parameter("1/h", "turnover of receptors", "assumed")
    R0: Scalar = parameter("nM", "receptors at rest", "assumed")

    def initial(self, inputs: Inputs) -> Bound:
        none = jnp.zeros_like(self.R0)
        return Bound(none, none, none, self.R0, none)

    def dose(self, state: Bound, name: str, amount: Scalar) -> Bound:
        return state._replace(depot=state.depot + amount)

    def rates(self, t: Scalar, state: Bound, inputs: Inputs) -> Bound:
        absorbed = self.ka * state.depot
        binding = self.kon * state.free * state.receptor - self.koff * state.bound
        outward = self.k12 * state.free - self.k21 * state.tissue
        return Bound(
            depot=-absorbed,
            free=absorbed - self.ke * state.free - outward - binding,
            tissue=outward,
            receptor=self.kdeg * (self.R0 - state.receptor) - binding,
            bound=binding - self.kint * state.bound,
        )

    def observe(self, t: Scalar, state: Bound, inputs: Inputs) -> Mapping[str, Scalar]:
        return {"concentration": state.free}
