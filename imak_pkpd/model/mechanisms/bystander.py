"""The host's own immunity against the tumour, helped by the fight with the donor cells.

Cells of the whole body, rates in 1/d.
"""

from imak_pkpd.model.abstract import Scalar
from imak_pkpd.model.mechanisms.saturation import saturation


def bystander_expansion(
    cells: Scalar, tumour: Scalar, helpers: Scalar, *, division: Scalar,
    half_antigen: Scalar, half_help: Scalar, capacity: Scalar, death: Scalar,
    rest: Scalar,
) -> Scalar:  # fmt: skip
    """Z' = rho [L/(L50 + L)] [A/(e50 + A)] Z (1 - Z/K) - d (Z - Z0), cells/d.

    `helpers` A are the cells of the allogeneic reaction. Source of the phenomenon: in
    mice, rejection of donor cells induces immunity of the host against the tumour
    (Rubio et al. 2003, Blood 102:2300).
    """
    drive = saturation(tumour, half_antigen) * saturation(helpers, half_help)
    growth = division * drive * cells * (1.0 - cells / capacity)
    return growth - death * (cells - rest)
