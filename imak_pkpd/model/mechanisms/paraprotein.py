"""What a myeloma secretes into the blood: a rate of the M-protein in g/L and day."""

from imak_pkpd.model.abstract import Scalar


def m_protein_turnover(
    level: Scalar, tumour: Scalar, *, per_cell: Scalar, clearance: Scalar
) -> Scalar:
    """k (s L - G): at rest G = s L, and G follows the tumour L with the lag 1/k.

    `per_cell` s in g/L per cell, `clearance` k per day. Source: indirect response with
    stimulated production, Dayneka, Garg & Jusko 1993, J Pharmacokinet Biopharm 21:457.
    """
    return clearance * (per_cell * tumour - level)
