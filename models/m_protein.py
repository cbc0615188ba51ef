"""M-protein of a myeloma: it follows a given tumour with the lag of its clearance.

    G' = k (s L - G),  G(0) = s L(0)

G in g/L, days. The column `tumour` of the data says L in cells. After a remission the
protein halves only every ln 2/k days: three weeks for an IgG. There are no doses.

Reference: indirect response, Dayneka, Garg & Jusko 1993, J Pharmacokinet Biopharm
21:457.
"""

from collections.abc import Mapping
from typing import NamedTuple

from imak_pkpd.model import (
    AbstractModel,
    Inputs,
    Scalar,
    mechanisms as m,
    parameter,
)


class Protein(NamedTuple):
    """g/L."""

    G: Scalar


class MProtein(AbstractModel):
    time = "day"
    doses = {}
    outputs = {"m_protein": "g/L"}

    mpr_s: Scalar = parameter("g/L/cell", "M-protein at rest per tumour cell")
    mpr_k: Scalar = parameter(
        "1/day",
        "clearance of M-protein",
        "half-life of an IgG 21-23 days: Waldmann & Strober 1969, Prog Allergy 13:1",
    )

    def initial(self, inputs: Inputs) -> Protein:
        return Protein(self.mpr_s * inputs.covariate["tumour"])

    def dose(self, state: Protein, name: str, amount: Scalar) -> Protein:
        return state

    def rates(self, t: Scalar, state: Protein, inputs: Inputs) -> Protein:
        tumour = inputs.covariate["tumour"]
        return Protein(
            m.m_protein_turnover(
                state.G, tumour, per_cell=self.mpr_s, clearance=self.mpr_k
            )
        )

    def observe(
        self, t: Scalar, state: Protein, inputs: Inputs
    ) -> Mapping[str, Scalar]:
        return {"m_protein": state.G}
