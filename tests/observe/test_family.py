"""Outputs that share a distribution: every row as if its output stood alone."""

from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imak_pkpd.observe import (
    OutputBlock,
    families,
    in_every_row,
    log_likelihood,
    log_likelihood_by_row,
    of_rows,
)

SD = {"median": 0.3, "gsd": 1.5}
BLOCKS = {
    "count": OutputBlock(unit="1/uL", dvid=1, error="lognormal", sigma=SD),
    "level": OutputBlock(unit="mg/L", dvid=2, error="additive", sigma=SD),
    "size": OutputBlock(unit="cells", dvid=3, error="lognormal", sigma=SD),
    "share": OutputBlock(unit="", dvid=4, error="additive", sigma=SD, censoring="M4"),
}
CENSORED = (frozenset({1}), frozenset(), frozenset({-1}))  # no row measures `share`


@pytest.fixture(scope="module")
def rows() -> SimpleNamespace:
    """Two subjects, twelve rows each, the last two padding."""
    rng = np.random.default_rng(5)
    shape = (2, 12)
    output = rng.integers(0, 3, shape)
    padding = np.arange(12) >= 10
    censor = np.where((output == 0) & (rng.random(shape) < 0.5), 1, 0)
    censor = np.where((output == 2) & (rng.random(shape) < 0.5), -1, censor)
    seen = SimpleNamespace(
        value=np.exp(rng.normal(0, 0.5, shape)),
        limit=np.zeros(shape),
        censor=np.where(padding, 0, censor),
        output=np.where(padding, 0, output),
        mask=np.broadcast_to(~padding, shape),
    )
    return SimpleNamespace(observations=seen, censored=CENSORED)


@pytest.fixture(scope="module")
def given() -> tuple[dict[str, jax.Array], dict[str, dict[str, jax.Array]]]:
    """Predictions of every output at every row, and an SD for each output."""
    rng = np.random.default_rng(6)
    outputs = {
        name: jnp.exp(jnp.asarray(rng.normal(0, 0.3, (2, 12)))) for name in BLOCKS
    }
    sds = {name: {"sigma": jnp.asarray(0.2 + 0.1 * i)} for i, name in enumerate(BLOCKS)}
    return outputs, sds


def test_two_outputs_are_one_family(rows: Any, given: Any) -> None:
    found = families(BLOCKS, rows, *given)
    members = [np.asarray(family.member) for family in found]
    output, mask = rows.observations.output, rows.observations.mask
    assert len(found) == 3  # log-normal; additive by M3; additive by M4
    np.testing.assert_array_equal(members[0], mask & np.isin(output, (0, 2)))
    np.testing.assert_array_equal(members[1], mask & (output == 1))
    assert not members[2].any()
    assert [family.present for family in found] == [{1, -1}, frozenset(), frozenset()]


def test_the_likelihood_is_that_of_each_output_alone(rows: Any, given: Any) -> None:
    outputs, sds = given
    seen = rows.observations
    total = np.zeros(seen.value.shape)
    for place, (name, block) in enumerate(BLOCKS.items()):
        alone = block.error_model.distribution(outputs[name], sds[name])
        mask = jnp.asarray(seen.mask & (seen.output == place))
        arrays = map(jnp.asarray, (seen.value, seen.censor, seen.limit))
        total += log_likelihood(alone, *arrays, block.censoring, mask)
    found = log_likelihood_by_row(families(BLOCKS, rows, *given), rows)
    np.testing.assert_allclose(found, total, rtol=1e-13)
    assert np.all(np.asarray(found)[~seen.mask] == 0)


def test_a_sample_has_the_distribution_of_its_output(rows: Any, given: Any) -> None:
    """20,000 draws: mean and SD of log DV (log-normal) and DV, 4 standard errors."""
    outputs, sds = given
    found = families(BLOCKS, rows, *given)
    keys = jax.random.split(jax.random.key(3), 20_000)
    drawn = np.asarray(
        jax.vmap(lambda key: in_every_row(found, lambda f: f.sample(key)))(keys)
    )
    seen = rows.observations
    for place, name in enumerate(list(BLOCKS)[:3]):
        here = seen.mask & (seen.output == place)
        centre, values = np.asarray(outputs[name])[here], drawn[:, here]
        if BLOCKS[name].error == "lognormal":
            centre, values = np.log(centre), np.log(values)
        sd = float(sds[name]["sigma"])
        error = sd / np.sqrt(len(keys))
        np.testing.assert_array_less(np.abs(values.mean(0) - centre), 4 * error)
        np.testing.assert_array_less(np.abs(values.std(0) - sd), 4 * error)


def test_what_belongs_to_a_row() -> None:
    measured = jnp.asarray([[2, 0, 5]])
    by_place = {0: jnp.asarray(1.0), 2: jnp.asarray([[7.0, 8.0, 9.0]])}
    assert of_rows(by_place, measured).tolist() == [[7.0, 1.0, 1.0]]
