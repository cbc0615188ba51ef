"""`decide`: from draws of a posterior to a dose, with how sure it is and why.

1. Every design of the table, on common draws and patients.
2. From the best admissible one to the best amounts between the bounds, by gradients.
3. Those amounts, rounded, are designs of the table too: the best of all is chosen.
4. What else is as good, and which utilities and priors would have chosen otherwise.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from imak_pkpd.choice import DecisionBlock
from imak_pkpd.decide.courses import Courses, courses, traced_courses
from imak_pkpd.decide.designs import Treated, layouts, shown_amounts, treated
from imak_pkpd.decide.draws import thinned
from imak_pkpd.decide.evaluate import (
    Batch,
    Check,
    Evaluated,
    Program,
    batches,
    check_by,
    evaluate,
    solver_error,
    traced_rows,
    with_shorter_steps,
)
from imak_pkpd.decide.first_guess import first_guess
from imak_pkpd.decide.optimum import Optimum, best_amounts
from imak_pkpd.decide.sensitivity import Otherwise, other_priors, other_utilities
from imak_pkpd.decide.slopes import traced_slopes
from imak_pkpd.decide.table import Row, Table
from imak_pkpd.fit.spec import FitSpec
from imak_pkpd.fit.weighting import REFERENCE
from imak_pkpd.model import AbstractModel

Sites = Mapping[str, np.ndarray]
Seen = Mapping[str, tuple[float, float] | None]
Amounts = Float[np.ndarray, " dose"]


@dataclass(frozen=True)
class DoseDecision:
    """The table, the chosen design or none, and what speaks for and against it.

    `rows` of the table in its order; `chosen` and `second` are places in it, None: no
    design is admissible. `wrong` is the share of draws in which another design is
    better by more than the margin; `as_good` are the places of designs within it.
    `optimum` is the one between the bounds, before rounding. `error` is the largest
    error of a mean utility by the solver. `courses` are of the least, the chosen and
    the largest amounts, where [decision.show] asks for them.
    """

    block: DecisionBlock
    rows: Sequence[Row]
    chosen: int | None
    second: int | None
    wrong: float
    as_good: tuple[int, ...]
    optimum: Optimum | None
    utilities: tuple[Otherwise, ...]
    priors: tuple[Otherwise, ...]
    error: float
    seen: Seen
    parts: "Sequence[Part]"
    courses: Courses | None = None


class Part(NamedTuple):
    """One layout with its batches, and the program that solves one of them (None: not
    compiled yet)."""

    made: Treated
    some: Sequence[Batch]
    program: Program | None = None

    def at(self, sites: Sites) -> "Part":
        """The same at other draws, each on steps of its own: by the same program where
        no draw asks for more steps than it has room for."""
        room = self.some[0].meshes.nodes
        some = batches(self.made, self.made.block, sites, room)
        fits = some[0].meshes.nodes == room
        return Part(self.made, some, self.program if fits else None)

    def surer(self) -> "Part":
        """The same, with shorter steps where patients are lost."""
        return self._replace(
            some=with_shorter_steps(self.made, self.some, self.program)
        )


def decide(
    spec: FitSpec,
    model: type[AbstractModel],
    sites: Sites,
    seen: Seen,
    stage: Callable[[str], None] = lambda text: None,
) -> DoseDecision:
    """The decision of [decision] at draws of the shared sites, [draw, ...]."""
    block = decision_of(spec)
    parts = list(parts_of(spec, block, model, sites, stage))
    shown = shown_amounts(block)
    optimum = None
    with ThreadPoolExecutor(1) as first, ThreadPoolExecutor(1) as beside:
        ahead = _compiling(first, beside, block, parts)
        pairs = zip(parts, ahead.rows, strict=True)
        parts = [part._replace(program=rows.result()).surer() for part, rows in pairs]
        many = list(_evaluated(parts, [shown] * len(parts), stage))
        if block.free:
            part, start = _start(Table(block, many, seen), parts)
            stage("from the best of the table to the best amounts between")
            program = None if ahead.slopes is None else ahead.slopes.result()
            optimum = best_amounts(part.made, part.some, start, program)
            rounded = np.asarray(list(_rounded(block, optimum.amounts)))
            many += _evaluated([part], [rounded], stage)
        table = Table(block, many, seen)
        stage("checking the solver")
        checked = zip(ahead.checks, many, strict=False)
        error = max(solver_error(c, found, f.result()) for (c, f), found in checked)
    drawn = thinned(sites, block.draws * block.batches)
    made = _decision(table, optimum, error, spec, model, drawn, parts)
    program = None if ahead.courses is None else ahead.courses.result()
    return replace(made, courses=_courses(table, parts, made.chosen, program))


class _Ahead(NamedTuple):
    """Programs that are being compiled: of each layout's table, of the slopes, of each
    layout's check, and of the courses."""

    rows: "Sequence[Future[Any]]"
    slopes: "Future[Any] | None"
    checks: "Sequence[tuple[Check, Future[Any]]]"
    courses: "Future[Any] | None"


def _compiling(
    first: ThreadPoolExecutor,
    beside: ThreadPoolExecutor,
    block: DecisionBlock,
    parts: Sequence[Part],
) -> _Ahead:
    """All programs, compiled while the next ones are traced: those of the table in
    `first`, and in `beside`, one after the other, what is needed after the table.

    Slopes, which take longest, begin; they and courses only of a single layout: of
    several it is not known yet which is wanted.
    """

    def compiled(traced: jax.stages.Lowered) -> "Future[Any]":
        return beside.submit(traced.compile)

    made, some, _ = parts[0]
    single = len(parts) == 1
    slopes = compiled(traced_slopes(made, some)) if block.free and single else None
    rows = [first.submit(traced_rows(p.made, p.some[0]).compile) for p in parts]
    every = [check_by(part.made, part.some, REFERENCE) for part in parts]
    checks = [(each, compiled(traced_rows(each.made, each.few))) for each in every]
    shown = single and block.show
    courses = compiled(traced_courses(made, some[0], block.show)) if shown else None
    return _Ahead(rows, slopes, checks, courses)


def _courses(
    table: Table,
    parts: Sequence[Part],
    chosen: int | None,
    program: Program | None,
) -> Courses | None:
    """Of the chosen design, with the least and the largest amounts at its sides."""
    if chosen is None or not table.block.show:
        return None
    row = table.row(chosen)
    part = next(each for each in parts if each.made.layout == row.layout)
    shown = shown_amounts(table.block)
    three = np.array([shown.min(0), [*row.amounts.values()], shown.max(0)])
    return courses(part.made, part.some[0], three, table.block.show, program)


def table_with(
    block: DecisionBlock,
    parts: Sequence[Part],
    seen: Seen,
    row: Row | None,
    stage: Callable[[str], None],
) -> tuple[Table, int | None]:
    """The table of the shown designs and of that of `row`, and where that one is."""
    parts = [part.surer() for part in parts]
    shown = shown_amounts(block)
    many = list(_evaluated(parts, [shown] * len(parts), stage))
    if row is None:
        return Table(block, many, seen), None
    own = next(part for part in parts if part.made.layout == row.layout)
    many += _evaluated([own], [np.array([[*row.amounts.values()]])], stage)
    table = Table(block, many, seen)
    return table, table.size - 1


def decision_of(spec: FitSpec) -> DecisionBlock:
    """The [decision] of a fit file; a `ValueError` where there is none."""
    if spec.decision is None:
        raise ValueError(
            f"{spec.path.name} has no [decision]: write which cohort is treated, what "
            "may be chosen, and the utility"
        )
    return spec.decision


def parts_of(
    spec: FitSpec,
    block: DecisionBlock,
    model: type[AbstractModel],
    sites: Sites,
    stage: Callable[[str], None],
) -> Iterator[Part]:
    for layout in layouts(block):
        stage(" ".join(("placing the steps of the virtual patients", layout.words)))
        made = treated(spec, block, model, layout, sites)
        yield Part(made, batches(made, block, sites))


def _evaluated(
    parts: Sequence[Part],
    amounts: Sequence[Float[np.ndarray, "design dose"]],
    stage: Callable[[str], None],
) -> Iterator[Evaluated]:
    total = sum(len(p.some) * len(a) for p, a in zip(parts, amounts, strict=True))
    done = 0

    def advance(solved: int) -> None:
        nonlocal done
        done += solved
        stage(f"designs: {done} of {total} batches")

    for part, own in zip(parts, amounts, strict=True):
        yield evaluate(part.made, part.some, own, advance, part.program)


def _start(table: Table, parts: Sequence[Part]) -> tuple[Part, Amounts]:
    """What the designs around the best admissible one suggest; where none is
    admissible, around the one nearest to its limits."""
    place = table.best()
    if place is None:
        rows = table.rows()
        excess = [
            sum(
                max(0.0, each.mean - table.block.limit[name].at_most)
                for name, each in row.limits.items()
            )
            for row in rows
        ]
        place = int(np.argmin(excess))
    which, own = divmod(place, len(table.parts[0].amounts))
    start = np.asarray(table.parts[which].amounts[own], float)
    return parts[which], first_guess(table.block, table.parts[which], start)


def _rounded(block: DecisionBlock, amounts: Amounts) -> Iterator[list[float]]:
    """The amounts rounded, and each free one also a rounding step lower or higher."""
    ways = []
    for choice, amount in zip(block.amount.values(), amounts, strict=True):
        amount = float(amount)
        near = {choice.rounded(amount * (1.0 + d)) for d in _steps(choice.digits)}
        ways.append(sorted(near) if choice.free else [amount])
    for combination in product(*ways):
        yield list(combination)


def _steps(digits: int) -> tuple[float, float, float]:
    """Relative: half a last digit down, none, half a last digit up."""
    half = 0.5 * 10.0 ** (1 - digits)
    return (-half, 0.0, half)


def _decision(
    table: Table,
    optimum: Optimum | None,
    error: float,
    spec: FitSpec,
    model: type[AbstractModel],
    drawn: Sites,
    parts: Sequence[Part],
) -> DoseDecision:
    chosen, rows = table.best(), table.rows()
    nothing = DoseDecision(
        block=table.block,
        rows=rows,
        chosen=None,
        second=None,
        wrong=np.nan,
        as_good=(),
        optimum=optimum,
        utilities=(),
        priors=(),
        error=error,
        seen=table.seen,
        parts=parts,
    )
    if chosen is None:
        return nothing
    others = np.where(table.holds, table.utility, -np.inf)
    others[chosen] = -np.inf
    return replace(
        nothing,
        chosen=chosen,
        second=int(np.argmax(others)) if np.isfinite(others).any() else None,
        wrong=_wrong(table, chosen),
        as_good=tuple(np.flatnonzero(table.as_good()).tolist()),
        utilities=tuple(other_utilities(table, chosen)),
        priors=tuple(other_priors(table, spec, model, drawn, chosen)),
    )


def _wrong(table: Table, chosen: int) -> float:
    """The share of draws in which another admissible design is better by the margin."""
    utility = np.where(table.holds, table.flat("utility"), -np.inf)
    gain = utility.max(-1) - utility[:, chosen]
    return float(np.mean(gain > table.block.margin))
