"""Counts beside other outputs: each row as if its output stood alone."""

from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats

from imak_pkpd.observe import (
    OutputBlock,
    expected,
    families,
    in_every_row,
    iwres,
    log_likelihood_by_row,
)

PRIOR = {"median": 0.3, "gsd": 1.5}
BLOCKS = {
    "share": OutputBlock(
        unit="", dvid=1, error="binomial", false_positive={"fixed": 0.01}, trials="N"
    ),
    "level": OutputBlock(
        unit="mg/L", dvid=2, error="lognormal", sigma=PRIOR, limit=PRIOR
    ),
    "size": OutputBlock(unit="mg/L", dvid=3, error="lognormal", sigma=PRIOR),
    "grade": OutputBlock(unit="", dvid=4, error="ordinal", at_least=["g1", "g2"]),
    "other": OutputBlock(
        unit="", dvid=5, error="binomial", false_positive={"fixed": 0.0}, trials=50
    ),
}
OUTPUT = np.array([[0, 1, 1, 2, 2, 3, 4, 0], [4, 3, 3, 2, 1, 0, 0, 0]])
MASK = np.array([[True] * 8, [True] * 6 + [False] * 2])
VALUE = np.array([[7, 0.9, 0.2, 0.9, 0.2, 2, 5, 3], [0, 0, 1, 1.3, 0.8, 40, 1, 1.0]])
CENSOR = np.array([[0, 0, 1, 0, 1, 0, 0, 1], [0, 1, -1, 0, 0, 0, 0, 0]])
TRIALS = np.array([[500, 1, 1, 1, 1, 1, 1, 200], [1, 1, 1, 1, 1, 300, 1, 1.0]])
MODEL = {"share": 0.02, "level": 0.7, "size": 0.6, "other": 0.1, "g1": 0.6, "g2": 0.2}
LIMIT = 0.35


def schedule(value=VALUE, censor=CENSOR, limit=0.0) -> Any:
    seen = SimpleNamespace(
        value=jnp.asarray(value),
        limit=jnp.full(OUTPUT.shape, limit),
        censor=jnp.asarray(censor),
        output=OUTPUT,
        mask=MASK,
    )
    codes = [frozenset((1, -1))] * 5
    return SimpleNamespace(observations=seen, censored=tuple(codes))


def outputs() -> dict[str, jax.Array]:
    return {name: jnp.full(OUTPUT.shape, value) for name, value in MODEL.items()}


def numbers(limit=LIMIT, false_positive=0.01) -> dict[str, dict[str, jax.Array]]:
    at = jnp.asarray
    return {
        "share": {"false_positive": at(false_positive), "trials": at(TRIALS)},
        "level": {"sigma": at(0.3), "limit": at(limit)},
        "size": {"sigma": at(0.4)},
        "grade": {},
        "other": {"false_positive": at(0.0), "trials": at(50.0)},
    }


def alone(output: int, value: float, censor: int, trials: float) -> float:
    """The log-likelihood of one row, by SciPy."""
    match output:
        case 0 | 4:
            n, wrong = (trials, 0.01) if output == 0 else (50, 0.0)
            f = MODEL["share" if output == 0 else "other"]
            law = stats.binom(n, f + (1 - f) * wrong)
            return law.logcdf(value) if censor else law.logpmf(value)
        case 1 | 2:
            name, sigma = ("level", 0.3) if output == 1 else ("size", 0.4)
            law = stats.lognorm(sigma, scale=MODEL[name])
            at = LIMIT if output == 1 else value
            return law.logcdf(at) if censor else law.logpdf(value)
    mass = np.array([0.4, 0.4, 0.2])
    kept = {0: [int(value)], 1: range(int(value) + 1), -1: range(int(value), 3)}
    return float(np.log(mass[list(kept[censor])].sum()))


def test_every_row_is_that_of_its_output() -> None:
    found = families(BLOCKS, schedule(), outputs(), numbers())
    assert len(found) == 3  # binomial, log-normal, ordinal
    rows = np.asarray(log_likelihood_by_row(found, schedule()))
    for place in np.ndindex(OUTPUT.shape):
        at = (each[place] for each in (OUTPUT, VALUE, CENSOR, TRIALS))
        wanted = alone(*at) if MASK[place] else 0.0
        np.testing.assert_allclose(rows[place], wanted, rtol=1e-10, err_msg=str(place))


def test_what_is_expected() -> None:
    """Of a count or a grade its mean; of the others the model's output itself."""
    given_outputs = outputs()
    found = expected(BLOCKS, given_outputs, numbers())
    np.testing.assert_allclose(found["share"], TRIALS * (0.02 + 0.98 * 0.01))
    np.testing.assert_allclose(found["grade"], 0.8)
    assert found["level"] is given_outputs["level"]


def total(limit, false_positive, there) -> jax.Array:
    found = families(BLOCKS, there, outputs(), numbers(limit, false_positive))
    return log_likelihood_by_row(found, there).sum()


@jax.jit
def value_and_slopes(value, censor, limit):
    there = schedule(value, censor, limit)
    return jax.value_and_grad(total, argnums=(0, 1))(LIMIT, 0.01, there)


def test_slopes_by_the_limit_and_the_false_positives() -> None:
    _, slopes = value_and_slopes(VALUE, CENSOR, 0.0)
    for place, slope in enumerate(slopes):
        at = np.array([LIMIT, 0.01])
        step = np.eye(2)[place] * 1e-6
        ends = [float(total(*(at + s * step), schedule())) for s in (1, -1)]
        np.testing.assert_allclose(slope, (ends[0] - ends[1]) / 2e-6, rtol=1e-6)


JUNK = st.sampled_from([0.0, -3.0, 0.5, 1e9, np.nan, np.inf])


@settings(max_examples=25, deadline=None)
@given(junk=JUNK, code=st.sampled_from([0, 1, -1]), lower=JUNK)
def test_padding_is_invisible(junk: float, code: int, lower: float) -> None:
    wanted = value_and_slopes(VALUE, CENSOR, 0.0)
    value, censor = np.where(MASK, VALUE, junk), np.where(MASK, CENSOR, code)
    found = value_and_slopes(value, censor, lower)
    for ours, theirs in zip(*map(jax.tree.leaves, (found, wanted)), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-13)


def test_samples_and_residuals_fit_their_row() -> None:
    there = schedule()
    found = families(BLOCKS, there, outputs(), numbers())
    keys = jax.random.split(jax.random.key(1), 4000)
    drawn = jax.vmap(lambda key: in_every_row(found, lambda f: f.sample(key)))(keys)
    counts = np.asarray(drawn)[:, MASK & np.isin(OUTPUT, (0, 3, 4))]
    assert (counts == np.round(counts)).all()
    p = 0.02 + 0.98 * 0.01
    first = np.asarray(drawn)[:, 0, 0]
    assert abs(first.mean() - 500 * p) < 4 * first.std() / np.sqrt(len(keys))
    residual = in_every_row(found, lambda f: iwres(f.distribution, VALUE))
    wanted = (7 - 500 * p) / np.sqrt(500 * p * (1 - p))
    np.testing.assert_allclose(residual[0, 0], wanted, rtol=1e-12)


@pytest.mark.parametrize("name", ["share", "grade"])
def test_one_kind_of_output_alone(name: str) -> None:
    """A single family: what is chosen elsewhere must not matter."""
    place = list(BLOCKS).index(name)
    there = schedule()
    there.observations.mask = MASK & (place == OUTPUT)
    there.observations.output = np.zeros_like(OUTPUT)
    one = families({name: BLOCKS[name]}, there, outputs(), numbers())
    rows = np.asarray(log_likelihood_by_row(one, there))
    every = families(BLOCKS, schedule(), outputs(), numbers())
    wanted = np.asarray(log_likelihood_by_row(every, schedule()))
    np.testing.assert_allclose(rows, np.where(place == OUTPUT, wanted, 0.0))
