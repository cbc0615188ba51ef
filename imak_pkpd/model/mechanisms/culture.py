"""Lymphocytes in IL-2: resting cells become activated ones, which divide; all die.

Densities in 1e6 cells/mL, IL-2 in IU/mL, rates in 1/d. The scheme, one pair of states
for T and one for NK cells, is this project's; NK cells reach their full killer activity
after 3-4 d in IL-2 (Grimm et al. 1982, J Exp Med 155:1823).
"""

from typing import NamedTuple

from imak_pkpd.model.abstract import Scalar


class Lineage(NamedTuple):
    """d resting/dt, d activated/dt and the deaths of both, 1e6 cells/mL/d."""

    resting: Scalar
    activated: Scalar
    deaths: Scalar


def activated_in_culture(
    resting: Scalar,
    active: Scalar,
    effect: Scalar,
    *,
    activation: Scalar,
    division: Scalar,
    death_resting: Scalar,
    death_active: Scalar,
) -> Lineage:
    """Rates of one lineage under an IL-2 `effect` E between 0 and 1.

    r' = -k E r - d_r r,  a' = k E r + rho E a - d_a (2 - E) a: without IL-2 activated
    cells die twice as fast.
    """
    turned = activation * effect * resting
    died_resting = death_resting * resting
    died_active = death_active * (2.0 - effect) * active
    return Lineage(
        resting=-turned - died_resting,
        activated=turned + division * effect * active - died_active,
        deaths=died_resting + died_active,
    )


def il2_in_medium(
    il2: Scalar, active: Scalar, *, decay: Scalar, uptake: Scalar
) -> Scalar:
    """d IL-2/dt = -(k + q a) IL-2 in IU/mL/d: decay, and uptake by activated cells.

    Units: `decay` 1/d, `uptake` mL/1e6 cells/d.
    """
    return -(decay + uptake * active) * il2
