"""Virtual patients at quasi-random points: an integral over patients needs few of them.

`drawn_patients` are random ones instead: those of a simulated trial, which differ from
trial to trial by chance.

Scrambled Sobol points (Owen), one dimension for every random effect, covariate, group
and amount; a group is a threshold on its own coordinate. Earlier dimensions are spread
more evenly: put what matters most first in [omega].
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.special import ndtri
from scipy.stats import qmc

from imak_pkpd.evidence.design import CohortBlock, CovariateDesign, GroupDesign

EDGE = 1e-15  # where a random number is 0, its normal is infinite
Column = Float[np.ndarray, " patient"]


class VirtualPatients(NamedTuple):
    """`normals` of eta; covariates and groups by column; amounts by dose.

    An amount is the factor of the design's amount: `per` and the patient's own
    deviation; 0 where the patient does not get the dose.
    """

    normals: Float[np.ndarray, "patient effect"]
    columns: dict[str, Column]
    amounts: dict[str, Column]


def virtual_patients(
    cohort: CohortBlock, effects: int, patients: int, seed: int
) -> VirtualPatients:
    """`patients` of them with `effects` random effects each."""
    return _patients_at(
        cohort, effects, _points(patients, sum(_sizes(cohort, effects)), seed)
    )


def drawn_patients(
    cohort: CohortBlock, effects: int, patients: int, rng: np.random.Generator
) -> VirtualPatients:
    """As many patients who have nothing to do with each other."""
    points = rng.random((patients, sum(_sizes(cohort, effects))))
    return _patients_at(cohort, effects, np.clip(points, EDGE, 1.0 - EDGE))


def _sizes(cohort: CohortBlock, effects: int) -> tuple[int, int, int, int]:
    """Dimensions of eta, covariates, groups and amounts."""
    return effects, len(cohort.covariate), len(cohort.group), len(cohort.dose)


def _patients_at(
    cohort: CohortBlock, effects: int, points: Float[np.ndarray, "patient dimension"]
) -> VirtualPatients:
    """The patients at points of the unit cube."""
    sizes = _sizes(cohort, effects)
    of_eta, of_covariate, of_group, of_dose = np.split(
        points, np.cumsum(sizes)[:-1], axis=1
    )
    columns = _covariates(cohort, ndtri(of_covariate))
    columns |= _groups(cohort.group, of_group)
    return VirtualPatients(
        ndtri(of_eta), columns, _amounts(cohort, columns, ndtri(of_dose))
    )


def quasi_normals(
    points: int, size: int, seed: int
) -> Float[np.ndarray, "point dimension"]:
    """Standard normals at scrambled Sobol points, for an integral over patients."""
    return np.asarray(ndtri(_points(points, size, seed)))


def _points(
    patients: int, size: int, seed: int
) -> Float[np.ndarray, "patient dimension"]:
    """Inside (0, 1): the first `patients` of a power of two, as Sobol is made for."""
    if size == 0:
        return np.zeros((patients, 0))
    power = int(np.ceil(np.log2(patients)))
    drawn = qmc.Sobol(size, scramble=True, rng=seed).random_base2(power)[:patients]
    edge = 0.5 / 2**power / 64  # Owen's points can lie on an edge, where ndtri is inf
    return np.clip(drawn, edge, 1.0 - edge)


def _covariates(
    cohort: CohortBlock, z: Float[np.ndarray, "patient covariate"]
) -> dict[str, Column]:
    made: dict[str, Column] = {}
    for (name, block), own in zip(cohort.covariate.items(), z.T, strict=True):
        made[name] = _usual(cohort.covariate, block, made) * block.gsd**own
    return made


def _usual(
    table: dict[str, CovariateDesign], block: CovariateDesign, made: dict[str, Column]
) -> Column:
    """The median in a patient whose other covariates are known."""
    if block.along is None:
        return np.asarray(block.median)
    relative = made[block.along] / table[block.along].median
    return np.asarray(block.median * relative**block.exponent)


def _groups(
    table: dict[str, GroupDesign], u: Float[np.ndarray, "patient group"]
) -> dict[str, Column]:
    made: dict[str, Column] = {}
    for (name, block), own in zip(table.items(), u.T, strict=True):
        chance = block.share * (1.0 if block.among is None else made[block.among])
        made[name] = (own < chance).astype(float)
    return made


def _amounts(
    cohort: CohortBlock,
    columns: dict[str, Column],
    z: Float[np.ndarray, "patient dose"],
) -> dict[str, Column]:
    made = {}
    for (name, block), own in zip(cohort.dose.items(), z.T, strict=True):
        per = 1.0 if block.per is None else columns[block.per]
        given = 1.0 if block.group is None else columns[block.group]
        made[name] = per * given * block.gsd**own
    return made
