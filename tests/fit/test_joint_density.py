"""Records and facts in one density: the facts' term, its slope, and what it refuses."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imak_pkpd.fit.posterior import effect_forms, population_model
from imak_pkpd.fit.problem import Problem
from imak_pkpd.fit.target import Target, prior_draw, target
from imak_pkpd.fit.terms import fact_names, terms_of
from imak_pkpd.fit.virtual import Virtual, virtual_cohort
from imak_pkpd.solve.mesh import build_mesh, declared_dosing
from tests.fit.joint import FREE, joint_problem

PRIOR = "{ median = 100.0, gsd = 1.2 }"


@pytest.fixture(scope="module")
def problem(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Problem:
    folder = tmp_path_factory.mktemp("joint")
    return joint_problem(
        root, folder, omega=FREE, amount=PRIOR, trough=True, later=True
    )


@pytest.fixture(scope="module")
def cohort(problem: Problem) -> Virtual:
    return virtual_cohort(problem.spec, problem.model, "trial")


@pytest.fixture(scope="module")
def args(problem: Problem, cohort: Virtual) -> tuple:
    mesh = build_mesh(problem.schedule, declared_dosing(problem.model))
    whole = (problem.schedule, mesh, {"trial": cohort.arrays})
    return jax.tree.map(jnp.asarray, whole)


@pytest.fixture(scope="module")
def density(problem: Problem, args: tuple) -> Target:
    forms = effect_forms(problem.spec, problem.schedule)
    return target(population_model(problem.spec, problem.model, forms), args)


def places(density: Target, args: tuple) -> list[np.ndarray]:
    keys = jax.random.split(jax.random.key(5), 4)
    return [prior_draw(density, key, args) for key in keys]


def test_the_term_is_that_of_weighted_draws(
    problem: Problem, cohort: Virtual, density: Target, args: tuple
) -> None:
    """At the same draw, whichever program: to 1e-10."""
    for place in places(density, args):
        sites = density.constrain(jnp.asarray(place), args)
        one = {name: np.asarray(value)[None] for name, value in sites.items()}
        terms = terms_of(problem.spec, {"trial": cohort}, one)
        expected = terms.total(fact_names(problem.spec))[0]
        assert float(sites["fact_log_likelihood"]) == pytest.approx(
            expected, rel=1e-10, abs=1e-10
        )


def test_the_density_is_prior_records_and_facts(
    problem: Problem, density: Target, args: tuple
) -> None:
    """Dropping the facts from the fit file takes their term away, and nothing else."""
    alone = problem.spec.model_copy(update={"evidence": {}})
    forms = effect_forms(alone, problem.schedule)
    other = target(population_model(alone, problem.model, forms), args[:2])
    for place in places(density, args):
        sites = density.constrain(jnp.asarray(place), args)
        less = np.concatenate([place[density.sites[name]] for name in other.sites])
        gap = float(
            other.evaluate(less, args[:2])[0] - density.evaluate(place, args)[0]
        )
        # the amount of the virtual patients has a prior of its own
        amount = place[density.sites["trial_central_amount"]].item()
        z = (amount - np.log(100.0)) / np.log(1.2)
        prior = -0.5 * z**2 - np.log(np.log(1.2) * np.sqrt(2 * np.pi))
        expected = float(sites["fact_log_likelihood"]) + prior
        assert gap == pytest.approx(expected, rel=1e-9)


def test_the_slope_of_the_facts(density: Target, args: tuple) -> None:
    """Central differences for theta, omega and the amount: relative to 1e-7."""

    def facts(position: jax.Array) -> jax.Array:
        return density.constrain(position, args)["fact_log_likelihood"]

    value, gradient = jax.jit(facts), jax.jit(jax.grad(facts))
    for place in places(density, args):
        slope = gradient(jnp.asarray(place))
        for name in ("theta_CL", "theta_V1", "omega_V1", "trial_central_amount"):
            step = np.zeros(density.size)
            step[density.sites[name]] = 1e-4
            # fourth order: an error of 1e-16 of a fifth derivative, rounding 1e-11
            near = float(value(place + step) - value(place - step))
            far = float(value(place + 2 * step) - value(place - 2 * step))
            expected = (8 * near - far) / (12 * 1e-4)
            got = float(slope[density.sites[name]][0])
            assert got == pytest.approx(expected, rel=1e-7, abs=1e-8)
            assert got != 0
        (own,) = [part for part in density.sites.values() if part.stop - part.start > 1]
        np.testing.assert_array_equal(slope[own], 0.0)  # effects of the patients


def test_cohorts_must_be_passed(density: Target, args: tuple) -> None:
    with pytest.raises(ValueError, match="pass the `arrays` of each virtual cohort"):
        target(density.model, args[:2])


def test_other_cohorts_are_the_same_program(
    problem: Problem, cohort: Virtual, density: Target, args: tuple
) -> None:
    """Other points of as many virtual patients are data: nothing is compiled."""
    other = virtual_cohort(
        problem.spec, problem.model, "trial", scramble=1, like=cohort
    )
    moved = (*args[:2], {"trial": jax.tree.map(jnp.asarray, other.arrays)})
    texts = [
        jax.jit(jax.value_and_grad(density.potential))
        .lower(np.zeros(density.size), each)
        .as_text()
        for each in (args, moved)
    ]
    assert texts[0] == texts[1]
