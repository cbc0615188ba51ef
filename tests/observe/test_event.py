"""Times to an event: densities against SciPy and mpmath, and what is drawn."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from pydantic import ValidationError
from scipy import stats

from imak_pkpd.observe import Event, OutputBlock, until_event

AREAS = np.array([1e-25, 1e-12, 1e-5, 0.1, 0.69, 0.7, 3.0, 40.0, 700.0])


def test_an_exact_event_has_the_density_of_its_time() -> None:
    """Of a constant hazard: SciPy's exponential law (rounding: 1e-14)."""
    rate, time = np.array([0.01, 0.3, 2.0]), np.array([50.0, 1.0, 3.0])
    law = Event(jnp.asarray(rate), jnp.asarray(rate * time), interval=False)
    wanted = stats.expon(scale=1 / rate)
    np.testing.assert_allclose(law.log_prob(1.0), wanted.logpdf(time), rtol=1e-14)
    np.testing.assert_allclose(law.log_prob(0.0), wanted.logsf(time), rtol=1e-14)
    assert np.all(np.isneginf(law.log_prob(jnp.asarray(0.5))))


def test_an_interval_keeps_its_digits() -> None:
    """log(1 - exp(-A)) to 1e-14 of mpmath with 60 digits, for tiny A and large."""
    law = Event(jnp.ones(()), jnp.asarray(AREAS), interval=True)
    with mpmath.workdps(60):
        wanted = [float(mpmath.log(1 - mpmath.exp(-mpmath.mpf(a)))) for a in AREAS[:-1]]
    # of 700 the logarithm is -exp(-700), which has no digit to lose
    np.testing.assert_allclose(law.log_prob(1.0)[:-1], wanted, rtol=1e-14)
    assert -1e-300 < float(law.log_prob(1.0)[-1]) <= 0.0


def test_slopes_of_an_interval() -> None:
    """d/dA log(1 - exp(-A)) = 1/(exp(A) - 1); rounding: 1e-13."""
    slope = jax.grad(lambda a: Event(a, a, interval=True).log_prob(jnp.ones(())))
    found = [float(slope(jnp.asarray(a))) for a in AREAS]
    np.testing.assert_allclose(found, 1 / np.expm1(AREAS), rtol=1e-13)


@pytest.mark.parametrize("interval", [True, False])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_no_hazard_at_all_is_finite_and_low(interval: bool, value: float) -> None:
    density = lambda h: Event(h, 10 * h, interval).log_prob(jnp.asarray(value))  # noqa: E731
    found, slope = jax.value_and_grad(density)(jnp.zeros(()))
    assert np.isfinite(found)
    assert np.isfinite(slope)
    assert (found < -60) == (value == 1)


def test_zero_and_one_are_all_there_is() -> None:
    law = Event(jnp.ones(4), jnp.asarray([1e-9, 0.2, 1.0, 9.0]), interval=True)
    both = jnp.exp(law.log_prob(jnp.zeros(4))) + jnp.exp(law.log_prob(jnp.ones(4)))
    np.testing.assert_allclose(both, 1.0, rtol=1e-15)
    np.testing.assert_allclose(law.cdf(jnp.zeros(4)), jnp.exp(-law.area), rtol=1e-15)
    np.testing.assert_array_equal(law.cdf(jnp.ones(4)), 1.0)
    np.testing.assert_array_equal(law.log_sf(jnp.zeros(4)), 0.0)
    np.testing.assert_allclose(law.log_sf(jnp.ones(4)), law.log_prob(jnp.ones(4)))


def test_draws_have_the_probability_of_the_window() -> None:
    """100,000 draws each; 4 standard errors."""
    area = jnp.asarray([0.01, 0.5, 3.0])
    law = Event(jnp.ones(3), area, interval=False)
    drawn = np.asarray(law.sample(jax.random.key(1), (100_000,)))
    error = np.sqrt(law.variance / 100_000)
    np.testing.assert_array_less(np.abs(drawn.mean(0) + np.expm1(-area)), 4 * error)
    assert np.all(np.isnan(Event(area, area * jnp.nan, True).sample(jax.random.key(1))))


def test_martingale_residuals_of_visits_have_mean_zero() -> None:
    """Over follow-ups of 12 visits until the event, 20,000 of them; 4 SDs of the sum,
    whose variance is at most the expected number of events."""
    area = jnp.full((20_000, 12), 0.2)
    law = Event(area, area, interval=True)
    drawn = law.sample(jax.random.key(2))
    seen = until_event(drawn, jnp.zeros(area.shape, int), jnp.asarray([True]))
    total = np.nansum(np.asarray(law.standardised(seen)))
    assert abs(total) < 4 * np.sqrt(np.nansum(np.asarray(seen)))


def test_martingale_residuals_of_times_have_mean_zero() -> None:
    """Exponential times, rate 0.3, censored at 4: 20,000; 4 SDs as above."""
    times = np.random.default_rng(3).exponential(1 / 0.3, 20_000)
    event, area = (times <= 4.0).astype(float), 0.3 * np.minimum(times, 4.0)
    law = Event(jnp.full(area.shape, 0.3), jnp.asarray(area), interval=False)
    total = float(law.standardised(jnp.asarray(event)).sum())
    assert abs(total) < 4 * np.sqrt(event.sum())


def test_nobody_is_at_risk_after_an_event() -> None:
    drawn = jnp.asarray([[0.0, 1.0, 5.0, 0.0, 1.0, 0.0], [0.0] * 6])
    output = jnp.asarray([[0, 0, 1, 0, 0, 2], [0] * 6])
    found = until_event(drawn, output, jnp.asarray([True, False, True]))
    wanted = [[0, 1, 5, np.nan, np.nan, 0], [0] * 6]
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        (
            {"error": "poisson", "exposure": 2, "event": "interval"},
            "error = 'poisson' got event = 'interval': only a time to an event has it; "
            "remove the line, or write error = 'event'",
        ),
        (
            {"error": "event", "lloq": 0.5},
            "error = 'event' got lloq: who had no event yet has a row with DV = 0, "
            "nothing else is censored; remove it",
        ),
        (
            {"error": "event", "censoring": "M4"},
            "error = 'event' got censoring = 'M4': who had no event yet has a row with "
            "DV = 0, nothing else is censored; remove it",
        ),
        (
            {"error": "event", "sigma": {"fixed": 1.0}},
            "error = 'event' got sigma: it needs none, and no other of",
        ),
    ],
)
def test_blocks_that_are_refused(keys: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValidationError) as caught:
        OutputBlock.model_validate({"unit": "1/day", **keys})
    assert sentence in str(caught.value)
