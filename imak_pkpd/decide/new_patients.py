"""`new_patients`: the patients of a file that a fit has not seen, ready to be solved.

Each has two meshes: to the last record, for the likelihood, and on to the horizon.
Their steps are placed at draws of the population posterior for a patient of whom
nothing is known yet, so they suit whatever the samples say.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import equinox as eqx
import jax
import numpy as np
import xarray as xr
from jaxtyping import Float

from imak_pkpd.data.schedule import Schedule
from imak_pkpd.decide.effects import effect_sites
from imak_pkpd.decide.finished_run import FinishedRun, Sites, population_sites
from imak_pkpd.estimand import AbstractEstimand, ValueEstimand
from imak_pkpd.estimand.course import AbstractWindow
from imak_pkpd.evidence import quasi_normals
from imak_pkpd.fit.curves import observed_at
from imak_pkpd.fit.explain import subject_names
from imak_pkpd.fit.meshes import event_mesh, finer, needs_mesh
from imak_pkpd.fit.meshing import individual_models
from imak_pkpd.fit.posterior import stepper_of
from imak_pkpd.fit.problem import Problem, data_block, read_problem
from imak_pkpd.fit.records import Records
from imak_pkpd.fit.spec import FitSpec
from imak_pkpd.model import AbstractStatic
from imak_pkpd.population.omega import Form
from imak_pkpd.solve.calibrate import calibrate
from imak_pkpd.solve.mesh import Mesh, build_mesh, declared_dosing

PILOTS = 32  # draws that place the steps
SPREAD = 100  # nodes spread over the records: a curve is a cubic between nodes
POINTS = 61  # of a predicted course, last sample and horizon among them

Times = Float[np.ndarray, " subject"]


class NewPatient(NamedTuple):
    """One patient: the records, and the same followed to the horizon.

    `ahead` observes nothing: the points of the predicted course stand in its schedule
    for observations. `problem.dataset` of both is the whole file.
    """

    name: str
    records: Records
    ahead: Records

    def halved(self) -> "NewPatient":
        """The same with every step halved that is of our making."""
        return self._replace(records=_halved(self.records), ahead=_halved(self.ahead))

    def sampled_as(self, forms: Mapping[str, Form]) -> "NewPatient":
        """The same with the random effects in other forms."""
        return self._replace(
            records=self.records._replace(forms=forms),
            ahead=self.ahead._replace(forms=forms),
        )


class NewPatients(NamedTuple):
    """The patients of a file, the population's draws, and the horizon asked for."""

    patients: tuple[NewPatient, ...]
    population: Sites
    horizon: float
    spec: FitSpec
    sha256: str


def new_patients(run: FinishedRun, file: Path, horizon: float | None) -> NewPatients:
    """Every patient of `file`, to `horizon` after the last dose.

    The horizon is in the model's unit of time; by default as far as the fit's patients
    were followed and its estimands look. Raises a `ValueError` for a file that the fit
    cannot read, a patient without a dose, and a horizon before the last record.
    """
    problem = read_problem(_reading(run.spec, file))
    _refuse_undosed(problem)
    farthest = default_horizon(run.spec, run.tree) if horizon is None else horizon
    population = population_sites(
        problem.spec, problem.model, problem.schedule, run.tree
    )
    made = patients_of(problem, population, farthest)
    return NewPatients(made, population, farthest, problem.spec, problem.dataset.sha256)


def patients_of(
    problem: Problem, population: Sites, horizon: float
) -> tuple[NewPatient, ...]:
    """The patients of a problem, one by one, with their meshes."""
    forms: dict[str, Form] = dict.fromkeys(problem.spec.omega.random, "z")
    here = Records(problem, forms, event_mesh(problem))
    ahead = here._replace(problem=followed(problem, horizon))
    if not issubclass(problem.model, AbstractStatic):
        nodes = _nodes(ahead, population)
        here = here._replace(mesh=_up_to_the_records(here.problem, nodes))
        ahead = ahead._replace(mesh=_with(ahead.problem, nodes))
    return tuple(
        NewPatient(name, alone(here, place), alone(ahead, place))
        # one cut to its first patient keeps the whole dataset
        for place, name in enumerate(
            subject_names(problem)[: problem.schedule.subjects]
        )
    )


def followed(problem: Problem, horizon: float) -> Problem:
    """The problem to `horizon` after the last dose, with points for observations.

    Estimands that have no end of their own end there.
    """
    schedule = problem.schedule
    spec = problem.spec.model_copy(
        update={
            "estimand": {
                name: _to_horizon(block, horizon)
                for name, block in problem.spec.estimand.items()
            }
        }
    )
    end = last_dose(schedule) + max(horizon, *_reaches(spec), 0.0)
    last = np.asarray(schedule.end)
    _refuse_past(problem, last_dose(schedule) + horizon - last, horizon)
    points = np.linspace(last, last_dose(schedule) + horizon, POINTS, axis=1)
    ahead = observed_at(schedule, points)
    ahead = eqx.tree_at(lambda s: s.end, ahead, np.maximum(end, last))
    return replace(problem, spec=spec, schedule=ahead)


def default_horizon(spec: FitSpec, tree: xr.DataTree) -> float:
    """How far after a dose the fit's patients were followed, or its estimands look."""
    seen: list[float] = []
    if "observed_data" in tree.children:
        after = np.asarray(tree["observed_data"]["time_after_dose"])
        seen = after[np.isfinite(after)].tolist()
    farthest = max([*seen, *_reaches(spec)], default=0.0)
    if farthest <= 0:
        raise ValueError(
            "neither the fit's patients nor its estimands say how far to forecast: "
            "give --horizon"
        )
    return farthest


def _reading(spec: FitSpec, file: Path) -> FitSpec:
    """The fit with another patient file; published facts are in the draws already."""
    changed = data_block(spec).model_copy(update={"file": file.resolve()})
    return spec.model_copy(update={"data": changed, "evidence": {}})


def _reaches(spec: FitSpec) -> list[float]:
    return [b.reach for b in spec.estimand.values() if b.reach is not None]


def _to_horizon(block: AbstractEstimand, horizon: float) -> AbstractEstimand:
    """The estimand with an end of its own, which its definition then says."""
    match block:
        case AbstractWindow(horizon=None):
            return block.model_copy(update={"horizon": horizon})
        case ValueEstimand(at=None):
            return block.model_copy(update={"at": horizon})
        case _:
            return block


def last_dose(schedule: Schedule) -> Times:
    """The clock of each patient's last dose; of the first record without one."""
    doses = schedule.doses
    clock = np.where(np.asarray(doses.mask), np.asarray(doses.clock), -np.inf)
    last = clock.max(1, initial=-np.inf)
    return np.where(np.isfinite(last), last, np.asarray(schedule.begin))


def _refuse_undosed(problem: Problem) -> None:
    """A patient who gets nothing has lost a record."""
    given = np.asarray(problem.schedule.doses.mask).any(1)
    if problem.model.doses and not given.all():
        name = subject_names(problem)[int(np.flatnonzero(~given)[0])]
        raise ValueError(
            f"{problem.dataset.path}: patient {name} has no dose: add the record of "
            "the dose (EVID 1 with AMT and CMT), the forecast counts from there"
        )


def _refuse_past(problem: Problem, left: Times, horizon: float) -> None:
    if (left <= 0).any():
        worst = int(np.argmin(left))
        unit = problem.model.time
        raise ValueError(
            f"the horizon of {horizon:g} {unit} after the last dose ends before the "
            f"last record of patient {subject_names(problem)[worst]}: give a --horizon "
            f"above {horizon - float(left[worst]):g}"
        )


def _nodes(ahead: Records, population: Sites) -> list[np.ndarray]:
    """Steps for a patient of whom nothing is known, and nodes over the records."""
    problem = ahead.problem
    begun = np.asarray(problem.schedule.begin)
    last = np.asarray(problem.schedule.observations.clock)[:, 0]
    spread = list(np.linspace(begun, last, SPREAD, axis=1))
    if not needs_mesh(problem):
        return spread
    made = calibrate(
        individual_models(problem, ahead.forms, _pilots(ahead, population), _PLACES),
        problem.schedule,
        declared_dosing(problem.model),
        problem.spec.solver.tolerance,
        stepper_of(problem.spec, problem.model),
    )
    return [np.union1d(*rows) for rows in zip(spread, made.clock, strict=True)]


_PLACES = range(PILOTS)


def _pilots(ahead: Records, population: Sites) -> dict[str, np.ndarray]:
    """Draws of the population, each with its own effects, the same in all patients."""
    spec = ahead.problem.spec
    draws = len(next(iter(population.values())))
    place = np.linspace(0, draws - 1, PILOTS).astype(int)
    normals = quasi_normals(PILOTS, len(spec.omega.random), spec.estimation.seed)
    own = effect_sites(spec.omega, normals, ahead.problem.schedule.patients)
    return {**{name: value[place] for name, value in population.items()}, **own}


def _up_to_the_records(problem: Problem, nodes: list[np.ndarray]) -> Mesh:
    ends = np.asarray(problem.schedule.end)
    return _with(problem, [r[r <= e] for r, e in zip(nodes, ends, strict=True)])


def _with(problem: Problem, nodes: list[np.ndarray]) -> Mesh:
    return build_mesh(problem.schedule, declared_dosing(problem.model), nodes)


def _halved(records: Records) -> Records:
    return records._replace(mesh=finer(records.problem, records.mesh))


def alone(records: Records, place: int) -> Records:
    """One patient of several, on arrays as long as those of all: one program."""
    cut = lambda leaf: np.asarray(leaf)[place : place + 1]  # noqa: E731
    schedule = jax.tree.map(cut, records.problem.schedule)
    own = replace(schedule, patient=np.zeros(1, int), patients=1)
    problem = replace(records.problem, schedule=own)
    return records._replace(problem=problem, mesh=jax.tree.map(cut, records.mesh))
