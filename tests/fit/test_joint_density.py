"""Records and facts in one density: the facts' term, its slope, and what it refuses."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imak_pkpd.check.convergence import ess_bulk
from imak_pkpd.fit.estimation import EstimationBlock
from imak_pkpd.fit.meshes import (
    Meshes,
    arrays_of_meshes,
    event_mesh,
    meshes_from_arrays,
)
from imak_pkpd.fit.posterior import effect_forms, population_model
from imak_pkpd.fit.problem import Problem
from imak_pkpd.fit.provenance import hash_arrays
from imak_pkpd.fit.sample import sample
from imak_pkpd.fit.target import Target, prior_draw, target
from imak_pkpd.fit.terms import fact_names, terms_of
from imak_pkpd.fit.virtual import Virtual, virtual_cohort
from tests.fit.joint import FREE, joint_problem, on_paper

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
    return Meshes(event_mesh(problem), {"trial": cohort}).arguments(problem)


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


def test_meshes_come_back_from_a_file(
    problem: Problem, cohort: Virtual, args: tuple
) -> None:
    """A resumed fit has the same arguments, to the last bit."""
    meshes = Meshes(event_mesh(problem), {"trial": cohort})
    again = meshes_from_arrays(problem, arrays_of_meshes(meshes)).arguments(problem)
    assert hash_arrays(again) == hash_arrays(args)
    finer = meshes.halved(problem)
    steps = (each.cohorts["trial"].mesh.nodes for each in (meshes, finer))
    assert next(steps) < next(steps)


def test_nuts_gives_the_posterior_on_paper(root: Path, tmp_path: Path) -> None:
    """Records with random effects and a fact, all normal: mean and SD to 4 SE."""
    problem = joint_problem(root, tmp_path)
    cohort = virtual_cohort(problem.spec, problem.model, "trial")
    args = Meshes(event_mesh(problem), {"trial": cohort}).arguments(problem)
    forms = effect_forms(problem.spec, problem.schedule)
    density = target(population_model(problem.spec, problem.model, forms), args)
    short = EstimationBlock(chains=2, warmup=150, draws=500, start="prior", seed=3)
    drawn = sample(density, args, short, tmp_path / "nuts", {"test": "on paper"})
    theta = drawn.positions[..., density.sites["theta_V1"]][..., 0]
    mean, sd = on_paper(cohort.patients.normals[:, 0])
    assert abs(theta.mean() - mean) < 4 * sd / np.sqrt(ess_bulk(theta))
    worth = ess_bulk((theta - mean) ** 2)
    assert abs(theta.std() / sd - 1) < 4 / np.sqrt(2 * worth)
