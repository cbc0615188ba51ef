"""The probability of cure: closed form, quadrature, and simulated births and deaths."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

from imak_pkpd.estimand import Clone, log_minus_log_cure
from tests.estimand.curves import curve_of, joined, padded

GROWTH, TURNOVER = 0.1, 0.6
BIRTH = GROWTH / (1 - TURNOVER)
ZERO = jnp.zeros(())


def cure(clones: list[Clone], share: float = 1.0, start: float = 0.0) -> float:
    found = log_minus_log_cure(
        clones, jnp.asarray(start), growth=jnp.asarray(GROWTH),
        turnover=jnp.asarray(TURNOVER), clonogenic=jnp.asarray(share),
    )  # fmt: skip
    return float(found)


def declining(n0: float, strength: float, life: float, days: np.ndarray) -> Clone:
    """kill = strength e^(-t/life), which ln n follows."""
    kill = lambda t: strength * jnp.exp(-t / life)  # noqa: E731
    total = lambda t: strength * life * -jnp.expm1(-t / life)  # noqa: E731
    size = lambda t: jnp.log(n0) + GROWTH * t - total(t)  # noqa: E731
    return Clone(curve_of(size, days), curve_of(kill, days))


@pytest.mark.parametrize("kill", [0.0, 0.04, 0.0999])
@pytest.mark.parametrize("n0", [1.0, 1e4, 1e12])
def test_constant_rates(kill: float, n0: float) -> None:
    """-ln P = phi n0 (1 - mu/b): each cell survives with probability 1 - mu/b."""
    days = np.array([0.0, 1.0, 5.0, 5.0, 80.0])
    clone = Clone(
        curve_of(lambda t: jnp.log(n0) + (GROWTH - kill) * t, days),
        curve_of(lambda t: kill + 0.0 * t, days),
    )
    mu = BIRTH * TURNOVER + kill
    expected = 0.02 * n0 * (1 - mu / BIRTH)
    # 1/(1/n0 + J) is n0 s for survival s, exactly
    assert cure([clone], 0.02) == pytest.approx(np.log(expected), abs=1e-6)


def test_a_tumour_that_rests_is_not_cured() -> None:
    """At its capacity ln n is level: the last net growth counts as 1e-6 per day."""
    days = np.linspace(0.0, 30.0, 7)
    clone = Clone(
        curve_of(lambda t: 28.0 + 0 * t, days), curve_of(jnp.zeros_like, days)
    )
    assert np.exp(-np.exp(cure([clone]))) < 1e-6


@pytest.mark.parametrize("strength", [0.5, 2.0, 4.0])
def test_a_kill_that_fades_against_quadrature(strength: float) -> None:
    """Two clones, of which one evades four fifths of the kill."""
    days = np.linspace(0.0, 120.0, 961)
    clones = [
        declining(1e6, strength, 5.0, days),
        declining(1e2, strength / 5, 5.0, days),
    ]

    def minus_log(n0: float, k: float) -> float:
        size = lambda t: GROWTH * t - k * 5.0 * -np.expm1(-t / 5.0)  # noqa: E731
        mu = lambda t: BIRTH * TURNOVER + k * np.exp(-t / 5.0)  # noqa: E731
        top = max(-size(t) for t in days)  # for quad: values near 1
        whole, _ = quad(
            lambda t: mu(t) * np.exp(-size(t) - top), 0, 400, limit=500, epsabs=0,
            epsrel=1e-11, points=[5.0, 15.0, 40.0],
        )  # fmt: skip
        return n0 / (1 + np.exp(top) * whole)

    expected = np.log(0.3 * (minus_log(1e6, strength) + minus_log(1e2, strength / 5)))
    # two log-linear halves of 0.125 d: (h/2)²/12 of the curvature of the exponent
    assert cure([padded_clone(c) for c in clones], 0.3) == pytest.approx(
        expected, abs=2e-4
    )


def padded_clone(clone: Clone) -> Clone:
    return Clone(*(padded(curve, 3) for curve in clone))


def test_treatment_counts_from_the_start_alone() -> None:
    """What lies before `start` changes nothing but n there."""
    before = declining(1e5, 0.0, 5.0, np.linspace(-10.0, 0.0, 11))
    after = declining(1e5, 3.0, 5.0, np.linspace(0.0, 90.0, 361))
    both = Clone(*(joined(a, b) for a, b in zip(before, after, strict=True)))
    assert cure([both]) == pytest.approx(cure([after]), abs=1e-12)


def test_the_gradient_is_that_of_differences() -> None:
    """d ln(-ln P)/d strength, and no overflow where n falls by e^700."""
    days = np.linspace(0.0, 120.0, 481)

    def value(strength: jax.Array) -> jax.Array:
        clone = declining(1e9, strength, 5.0, days)
        return log_minus_log_cure(
            [clone], ZERO, growth=jnp.asarray(GROWTH), turnover=jnp.asarray(TURNOVER),
            clonogenic=jnp.asarray(0.01),
        )  # fmt: skip

    for strength in (0.3, 3.0, 12.0, 150.0):
        slope = float(jax.grad(value)(strength))
        step = 1e-5 * strength
        ahead, behind = (float(value(strength + side * step)) for side in (1, -1))
        assert slope == pytest.approx((ahead - behind) / (2 * step), rel=1e-5)


def test_simulated_births_and_deaths() -> None:
    """4,000 tumours of 400 cells, each event drawn: 3 standard errors of the share.

    A cell survives with probability of about 0.005, so that 1 - p and e^-p agree.
    """
    strength, life, n0 = 1.6, 4.0, 400
    expected = np.exp(
        -np.exp(cure([declining(n0, strength, life, np.linspace(0, 90, 721))]))
    )
    assert 0.1 < expected < 0.9
    extinct = simulated(n0, strength, life, tumours=4000)
    error = np.sqrt(expected * (1 - expected) / 4000)
    assert abs(extinct - expected) < 3 * error


def simulated(n0: int, strength: float, life: float, tumours: int) -> float:
    """The share that dies out by day 60, in steps of 0.005 d (0.1 % of a lifetime).

    In a step a cell divides or dies at the rate at its middle, exactly for one event; a
    tumour that has grown to 3,000 cells is safe, and is held there.
    """
    rng, step = np.random.default_rng(12), 0.005
    cells = np.full(tumours, n0)
    for now in np.arange(0.0, 60.0, step):
        kill = strength * np.exp(-(now + step / 2) / life)
        death, birth = BIRTH * TURNOVER + kill, BIRTH
        leaves = -np.expm1(-(death + birth) * step)
        events = rng.binomial(cells, leaves)
        births = rng.binomial(events, birth / (birth + death))
        cells = np.minimum(cells + 2 * births - events, 3000)
        if not cells.any():
            break
    return float(np.mean(cells == 0))
