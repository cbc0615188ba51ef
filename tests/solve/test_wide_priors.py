"""Ten thousand draws of priors wider than stated: every one is solved, or is counted.

Every shipped model with states, one patient for up to a year: linear models in closed
form, the others by the adaptive solver, and the full model again on the steps of the
shipped virtual cohort. What is solved has numbers everywhere; amounts, areas and
exposures are not negative, chances lie in [0, 1], and a clone of which less than a cell
was left does not come back.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float

from imak_pkpd.data.schedule import Schedule
from imak_pkpd.estimand import AbstractEstimand, AreaEstimand, PeakEstimand
from imak_pkpd.fit.readings import estimates_of
from imak_pkpd.fit.spec import read_fit
from imak_pkpd.fit.virtual import virtual_cohort
from imak_pkpd.model import AbstractLinear, AbstractModel, load_model
from imak_pkpd.solve.mesh import Mesh, build_mesh, declared_dosing
from imak_pkpd.solve.split import Split
from imak_pkpd.solve.status import SolveStatus
from imak_pkpd.solve.stepper import AbstractStepper, Adaptive, Exact
from imak_pkpd.solve.trajectory import Trajectory, solve
from tests.solve.wide_cases import CASES, Case, wide_draws

UNSOLVED = 0.005  # share of draws that may fail, counted by reason
LATE = 10.0  # d: after it no donor cell is infused
ROUNDING = 1e-9  # of the largest value: what may be negative
NOTHING = 1e-3  # cells, mg, IU/mL: 1,000 times what the adaptive solver aims at
LOGARITHMS = ("ln_", "lS", "lR", "l")  # of cells: they may be negative

SHIPPED = sorted(
    path.stem for path in (Path(__file__).parents[2] / "models").glob("*.py")
)
QUICK = (
    "pk",
    "theo",
    "pheno",
    "rituximab",
    "il2",
    "m_",
)  # in seconds: not marked as slow
WAYS = [
    pytest.param(name, way, marks=[] if name.startswith(QUICK) else pytest.mark.slow)
    for name, way in [*((name, "own") for name in SHIPPED), ("imak_full", "split")]
]

Asked = Mapping[str, AbstractEstimand]
Worst = Mapping[str, Float[Array, "*draw"]]


class Verdict(NamedTuple):
    """How a draw ended, and the worst of what was found in it.

    `lowest` is the smallest value by state and output, with what counts as none added;
    `asked` the estimands; `returned` the most cells of a clone after less than one was
    left.
    """

    status: Array
    finite: Array
    lowest: Worst
    asked: Worst
    returned: Worst


def judged(model: AbstractModel, path: Trajectory, case: Case, asked: Asked) -> Verdict:
    values = {**path.after._asdict(), **{n: c.after for n, c in path.outputs.items()}}
    every = jnp.stack([*values.values(), *path.before._asdict().values()])
    amounts = {n: v for n, v in values.items() if not n.startswith(LOGARITHMS)}
    start = jnp.full(1, max((dose[0] for dose in case.doses), default=0.0))
    late = path.time[0] >= LATE
    return Verdict(
        path.status[0],
        jnp.all(jnp.isfinite(every)),
        {n: jnp.min(v) + ROUNDING * jnp.max(v) + NOTHING for n, v in amounts.items()},
        {n: estimates_of(e, model, path, start)["value"][0] for n, e in asked.items()},
        {n: jnp.max(after_the_last(values[n][0], late)) for n in case.clones},
    )


def after_the_last(cells: Array, late: Array) -> Array:
    """The cells at times after less than one of them was left."""
    lowest = jax.lax.cummin(jnp.where(late, cells, jnp.inf))
    return jnp.where(lowest < 1.0, cells, 0.0)


def estimands(name: str, kind: type[AbstractModel], fits: Path) -> dict:
    """Area and peak of every output, and of the full model what its fits ask for."""
    plain = [each for each in kind.outputs if not each.startswith(LOGARITHMS)]
    asked = {f"{n}_area": AreaEstimand(kind="area", output=n) for n in plain}
    asked |= {f"{n}_peak": PeakEstimand(kind="peak", output=n) for n in plain}
    if name == "imak_full":
        stated = read_fit(fits / "190-imak-prior.toml").estimand
        # a crossing has no number where nothing is crossed
        asked |= {n: e for n, e in stated.items() if e.kind != "crossing"}
    return asked


def way_of(
    way: str, kind: type[AbstractModel], schedule: Schedule, fits: Path
) -> tuple[Mesh, AbstractStepper]:
    dosing = declared_dosing(kind)
    if way == "split":
        spec = read_fit(fits / "190-imak-prior.toml")
        cohort = virtual_cohort(spec, kind, "trial")
        steps = np.unique(np.asarray(cohort.mesh.clock))
        return build_mesh(schedule, dosing, [steps]), Split()
    exact = issubclass(kind, AbstractLinear)
    return build_mesh(schedule, dosing), Exact() if exact else Adaptive(1e-6, 1e-6)


@pytest.mark.parametrize(("name", "way"), WAYS)
def test_every_draw_is_solved_or_counted(
    name: str, way: str, root: Path, shared: Path, tmp_path: Path
) -> None:
    kind, case, fits = (
        load_model(root / "models" / f"{name}.py"),
        CASES[name],
        root / "fits",
    )
    assert issubclass(kind, AbstractModel)
    schedule = case.schedule(kind, tmp_path)
    mesh, stepper = way_of(way, kind, schedule, fits)
    asked = estimands(name, kind, fits)

    def one(values: dict[str, Array]) -> Verdict:
        model = kind(**{k: v[None] for k, v in values.items()})
        return judged(model, solve(model, schedule, mesh, stepper), case, asked)

    run = jax.jit(lambda xs: jax.lax.map(one, xs, batch_size=50))
    draws = jax.tree.map(jnp.asarray, wide_draws(kind, fits, shared))
    verdict = jax.tree.map(np.asarray, run(draws))
    check(verdict, way, {n for n, e in asked.items() if e.is_chance})


def check(found: Verdict, way: str, chances: set[str]) -> None:
    reasons, counts = np.unique(found.status, return_counts=True)
    said = {SolveStatus(r).name: int(n) for r, n in zip(reasons, counts, strict=True)}
    print(said)
    solved = found.status == SolveStatus.ok
    assert found.finite.all()  # a failed draw keeps its last finite state
    assert np.mean(~solved) <= UNSOLVED, said
    for name, value in found.lowest.items():
        # a long step may take out more than there was, of what feeds no exposure
        share = np.mean(value[solved] < 0)
        assert share <= (UNSOLVED if way == "split" else 0.0), name
    for name, value in found.asked.items():
        assert np.isfinite(value[solved]).all(), name
        assert (value[solved] >= -NOTHING).all(), name
        assert name not in chances or (value[solved] <= 1).all(), name
    for name, cells in found.returned.items():
        assert cells[solved].max() < 1e3, name
