"""`simulate_cohort`: the patient file of a cohort file, from its true values.

Model, population and residual errors are the very objects that the fit uses.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Float, PRNGKeyArray

from imak_pkpd.data.schedule import Schedule
from imak_pkpd.fit.cohort import Cohort, design, read_cohort
from imak_pkpd.fit.follow_up import event_times, followed
from imak_pkpd.fit.grammar import FitError, Source
from imak_pkpd.fit.lines import Key
from imak_pkpd.fit.meshes import event_mesh, needs_mesh
from imak_pkpd.fit.posterior import effect_forms
from imak_pkpd.fit.problem import Problem, data_block, read_model, read_problem
from imak_pkpd.fit.simulate import Simulator
from imak_pkpd.fit.spec import FitSpec
from imak_pkpd.model import AnyModel, parameters, to_scale
from imak_pkpd.observe import until_event
from imak_pkpd.population.refusal import hint
from imak_pkpd.solve.mesh import Mesh
from imak_pkpd.solve.stepper import Adaptive

DIGITS = 4  # significant ones of a DV: finer than any assay; a count keeps all
SOLVER = Adaptive(1e-10, 1e-10)  # no written digit depends on it, nor on the machine

Values = Mapping[str, float]


def simulate_cohort(
    spec: FitSpec, path: Path, seed: int, subjects: int | None = None
) -> str:
    """The patient file, as CSV text, of the cohort file at `path`.

    `subjects` replaces the file's number. Raises a `ValueError` where cohort and fit
    do not suit each other, and where a patient cannot be solved.
    """
    cohort, source = read_cohort(path)
    if subjects is not None:
        cohort = cohort.model_copy(update={"subjects": subjects})
    # The patient file is yet to be made: any file that exists stands in for it.
    model = read_model(_reading(spec, spec.path))
    _refuse(source, _strangers(spec, model, cohort))
    rows = design(spec, cohort, np.random.default_rng(seed))
    drawn = _drawn(_problem(spec, rows), cohort, source, seed)
    reported = _reported(spec, rows, drawn.values)
    if spec.hazards:
        reported = followed(spec, reported, drawn.times)
    return _csv(spec, reported)


def _reading(spec: FitSpec, file: Path) -> FitSpec:
    """The fit with another patient file, all of whose rows are read."""
    changed = {"file": file, "exclude": (), "missing": ()}
    return spec.model_copy(update={"data": data_block(spec).model_copy(update=changed)})


def _problem(spec: FitSpec, rows: pd.DataFrame) -> Problem:
    """The fit joined with the design: read as any patient file, DV at its limit."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "design.csv"
        events = [block.dvid or 1 for block in spec.output.values() if block.timed]
        blank = rows["LLOQ"].fillna(1.0).mask(rows["DVID"].isin(events), 0.0)
        file.write_text(_csv(spec, rows.assign(DV=blank, CENS=0)))
        return read_problem(_reading(spec, file))


class _Drawn(NamedTuple):
    """DV of every sample, in file order, before the limits of the assays, and when its
    event falls, if the sample is of one; NaN: not at risk any more."""

    values: Float[np.ndarray, " sample"]
    times: Float[np.ndarray, " sample"]


def _drawn(problem: Problem, cohort: Cohort, source: Source, seed: int) -> _Drawn:
    schedule = problem.schedule
    forms = effect_forms(problem.spec, schedule)
    stepper = SOLVER if needs_mesh(problem) else None
    simulator = Simulator(problem.spec, problem.model, forms, stepper)
    needed = simulator.shared(schedule)
    _refuse(source, _truth_problems(problem.spec, cohort.truth, needed))
    sites = {name: _site(problem, cohort.truth, name)[None] for name in needed}
    mesh, key = event_mesh(problem), jax.random.key(seed)
    values = simulator(sites, schedule, mesh, key)["replicate"][0]
    times = np.full(values.shape, np.nan)
    _refuse_unsolved(problem, values)
    if problem.spec.hazards and mesh is not None:
        shared = {name: jnp.asarray(value[0]) for name, value in sites.items()}
        times = _times(simulator, shared, schedule, mesh, key)
    return _Drawn(*(_in_file_order(schedule, each) for each in (values, times)))


def _times(
    simulator: Simulator,
    shared: Mapping[str, jax.Array],
    schedule: Schedule,
    mesh: Mesh,
    key: PRNGKeyArray,
) -> Float[np.ndarray, "subject observation"]:
    """When the events of the very patients in `replicate` fall."""
    own = jax.random.split(key, 1)[0]
    patients = simulator.new_patients(shared, schedule, jax.random.split(own, 3)[2])
    return event_times(simulator, patients, schedule, mesh, jax.random.fold_in(own, 1))


def _refuse_unsolved(
    problem: Problem, values: Float[np.ndarray, "subject observation"]
) -> None:
    """Refuses DVs that are no numbers, but for rows after an event."""
    seen, blocks = problem.schedule.observations, problem.spec.output.values()
    timed = jnp.array([block.timed for block in blocks])
    over = until_event(jnp.nan_to_num(values), jnp.asarray(seen.output), timed)
    lost = np.asarray(seen.mask) & ~np.isfinite(values) & ~np.isnan(over)
    if lost.any():
        name = problem.dataset.subject[int(np.asarray(seen.row)[lost][0])]
        raise ValueError(
            f"patient {name} cannot be solved: look at the [truth] of the cohort file, "
            "or take another seed"
        )


def _in_file_order(
    schedule: Schedule, values: Float[np.ndarray, "subject observation"]
) -> Float[np.ndarray, " sample"]:
    mask = np.asarray(schedule.observations.mask)
    return values[mask][np.argsort(np.asarray(schedule.observations.row)[mask])]


def _reported(
    spec: FitSpec, rows: pd.DataFrame, measured: Float[np.ndarray, " sample"]
) -> pd.DataFrame:
    """The rows with what the assays report: below LLOQ the limit itself, and CENS 1.

    Of a count LLOQ is the largest that is called negative.
    """
    whole = (block for block in spec.output.values() if block.discrete or block.timed)
    counts = [block.dvid or 1 for block in whole]
    counted = rows["DVID"].isin(counts)
    column = np.full(len(rows), np.nan)
    column[rows["EVID"] == 0] = [float(f"{each:.{DIGITS}g}") for each in measured]
    column[counted] = measured[counted[rows["EVID"] == 0]]
    value = pd.Series(column, rows.index)
    below = (value < rows["LLOQ"]) | (counted & (value == rows["LLOQ"]))
    return rows.assign(DV=value.mask(below, rows["LLOQ"]), CENS=below.astype(int))


def _csv(spec: FitSpec, rows: pd.DataFrame) -> str:
    """CSV text with the column names of the fit's [data]; columns of dots left out."""
    kept = rows.dropna(axis="columns", how="all").rename(
        columns=dict(data_block(spec).columns)
    )
    text: str = kept.to_csv(index=False, na_rep=".", float_format="%.6g")
    return text


def _site(problem: Problem, truth: Values, name: str) -> Float[np.ndarray, "..."]:
    """The value of one NumPyro site, on its own scale."""
    kind, _, parameter = name.partition("_")
    if kind == "theta":
        scale = parameters(problem.model)[parameter].scale
        return np.asarray(to_scale(jnp.asarray(truth[f"{parameter}_pop"]), scale))
    if kind == "cholesky":
        return _factor(problem.spec, truth, parameter)
    known = name.removesuffix("_variance")
    return np.asarray(truth[known] ** (2 if known != name else 1))


def _factor(spec: FitSpec, truth: Values, block: str) -> Float[np.ndarray, "p p"]:
    """The Cholesky factor of a block: of the correlation (LKJ) or the covariance."""
    found = next(each for each in spec.omega.blocks if each.name == block)
    names = found.parameters
    matrix = np.eye(len(names))
    for pair, (row, column) in _pairs(names).items():
        matrix[row, column] = matrix[column, row] = truth[pair]
    if found in spec.omega.covariance:
        deviations = np.array([truth[f"omega_{name}"] for name in names])
        matrix = matrix * deviations[:, None] * deviations
    return np.linalg.cholesky(matrix)


def _pairs(names: tuple[str, ...]) -> dict[str, tuple[int, int]]:
    """The correlations of a block by name, with their place in the matrix."""
    return {
        f"corr_{names[column]}_{names[row]}": (row, column)
        for column in range(len(names))
        for row in range(column + 1, len(names))
    }


def _truth_names(spec: FitSpec, site: str) -> list[str]:
    """The names in [truth] that one site needs."""
    kind, _, rest = site.partition("_")
    if kind == "theta":
        return [f"{rest}_pop"]
    if kind != "cholesky":
        return [site.removesuffix("_variance")]
    block = next(each for each in spec.omega.blocks if each.name == rest)
    joint = block in spec.omega.covariance
    return [
        *_pairs(block.parameters),
        *(f"omega_{p}" for p in block.parameters if joint),
    ]


def _truth_problems(
    spec: FitSpec, truth: Values, sites: Iterable[str]
) -> Iterator[tuple[Key, str]]:
    """What [truth] has too much, and what it lacks."""
    needed = [name for site in sites for name in _truth_names(spec, site)]
    for name in truth:
        if name not in needed:
            yield ("truth", name), f"the fit does not sample this{hint(name, needed)}"
    for name in needed:
        if name not in truth:
            yield ("truth",), f"'{name}' is missing: give its true value"


def _strangers(
    spec: FitSpec, model: type[AnyModel], cohort: Cohort
) -> Iterator[tuple[Key, str]]:
    """Names in the cohort file that the fit does not have."""
    inputs = list(data_block(spec).inputs.values())
    for name in cohort.dose:
        if name not in inputs:
            yield ("dose", name), f"not in the fit's data.inputs{hint(name, inputs)}"
    for name in cohort.sample:
        if name not in spec.output:
            yield ("sample", name), f"not an output of the fit{hint(name, spec.output)}"
    yield from _unknown_columns(cohort)


def _unknown_columns(cohort: Cohort) -> Iterator[tuple[Key, str]]:
    """Columns that the cohort file names and does not have, or only further down."""
    for path, name, table, known in _columns_named(cohort):
        if name is not None and name not in known:
            yield path, f"'{name}' is not in {table}{hint(name, known)}"


def _columns_named(cohort: Cohort) -> Iterator[tuple[Key, str | None, str, list[str]]]:
    """Where a column may be named, the name, the table it must be in, and its keys."""
    columns, groups = list(cohort.covariate), list(cohort.group)
    for place, (name, own) in enumerate(cohort.covariate.items()):
        known = columns[:place]
        yield ("covariate", name, "along"), own.along, "[covariate] above it", known
    for place, (name, group) in enumerate(cohort.group.items()):
        yield ("group", name, "among"), group.among, "[group] above it", groups[:place]
    for name, dose in cohort.dose.items():
        yield ("dose", name, "per"), dose.per, "[covariate]", columns
        yield ("dose", name, "group"), dose.group, "[group]", groups


def _refuse(source: Source, found: Iterable[tuple[Key, str]]) -> None:
    sentences = [source.sentence(path, text) for path, text in found]
    if sentences:
        raise FitError(sentences)
