"""Why a fit cannot start: which subject, time and output has no finite likelihood."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from imak_pkpd.fit.meshes import alternatives, beside_mesh, event_meshes
from imak_pkpd.fit.meshing import Forms
from imak_pkpd.fit.mode import Explain
from imak_pkpd.fit.posterior import ROWS, WHEN, population_model
from imak_pkpd.fit.problem import Problem
from imak_pkpd.fit.target import Target, target
from imak_pkpd.solve.status import SolveStatus


def reference_target(problem: Problem, forms: Forms) -> tuple[Target, tuple]:
    """The posterior by the reference, and its arguments: no mesh is to be trusted."""
    function = population_model(
        problem.spec, problem.model, forms, beside_mesh(problem)
    )
    args = event_meshes(problem).arguments(problem)
    return target(function, args), args


def explain_start(problem: Problem, forms: Forms) -> Explain:
    """A function from a flat position to the sentence that names the failing terms."""

    def explain(position: Float[np.ndarray, " d"]) -> str:
        for each in alternatives(problem):
            status, when, rows, facts = _terms(each, forms, position)
            if not (status == SolveStatus.too_many_steps).any():
                break
        failed = np.flatnonzero(status)
        return "no start with a finite log-density: " + (
            _unsolved(problem, status, when, int(failed[0]))
            if len(failed)
            else _unlikely(problem, rows, facts)
        )

    return explain


def _terms(
    problem: Problem, forms: Forms, position: Float[np.ndarray, " d"]
) -> tuple[
    Int[np.ndarray, " subject"],
    Float[np.ndarray, " subject"],
    Float[np.ndarray, "subject observation"],
    float,
]:
    """Status and time of each solve, log-likelihood of each row and of all facts, by
    the reference."""
    made, args = reference_target(problem, forms)
    found = jax.jit(made.constrain)(jnp.asarray(position), args)
    status, when, rows = (np.asarray(found[n]) for n in ("solve_status", WHEN, ROWS))
    return status, when, rows, float(found.get("fact_log_likelihood", 0.0))


def _unsolved(
    problem: Problem,
    status: Int[np.ndarray, " subject"],
    when: Float[np.ndarray, " subject"],
    subject: int,
) -> str:
    more = int((status != 0).sum()) - 1
    others = f" (and {more} other subjects)" if more else ""
    return (
        f"subject {subject_names(problem)[subject]} cannot be solved from time "
        f"{when[subject]:g} on{others}: {SolveStatus(int(status[subject])).advice}"
    )


def _unlikely(
    problem: Problem, rows: Float[np.ndarray, "subject observation"], facts: float
) -> str:
    seen = problem.schedule.observations
    bad = np.argwhere(~np.isfinite(rows) & np.asarray(seen.mask))
    if len(bad) == 0 and not np.isfinite(facts):
        return (
            "the facts are impossible at the prior medians, or a virtual patient "
            "cannot be solved: look at [evidence], [cohort] and the priors"
        )
    if len(bad) == 0:
        return "the priors give no finite density: look at their supports"
    subject, row = (int(i) for i in bad[0])
    value = f" = {float(seen.value[subject, row]):g}"
    return (
        f"{record_words(problem, subject, row, value)} is impossible at the prior "
        "medians: look at its unit and at the priors"
    )


def record_words(problem: Problem, subject: int, row: int, value: str = "") -> str:
    """A record by its places in the schedule: "subject 3, chimerism at time 6"."""
    seen = problem.schedule.observations
    output = list(problem.spec.output)[int(seen.output[subject, row])]
    time = float(seen.time[subject, row])
    return (
        f"subject {subject_names(problem)[subject]}, {output}{value} at time {time:g}"
    )


def subject_names(problem: Problem) -> list[str]:
    """The IDs in the order of the schedule's subjects."""
    return list(dict.fromkeys(problem.dataset.subject))
