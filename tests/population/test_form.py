"""Forms from what data say: against quadrature, and against the two limits."""

import numpy as np
import pytest
from scipy import integrate, stats

from imak_pkpd.population.form import (
    OMEGAS,
    Information,
    omega_weights,
    posterior_median,
    smoother_form,
    unevenness,
)

_rng = np.random.default_rng(3)
LOG_PRIOR = stats.halfnorm(scale=0.5).logpdf(OMEGAS)


def patients(omega: float, sd: float, number: int = 30) -> Information:
    """Values of patients who differ by `omega`, known to `sd`."""
    noise = _rng.normal(0.0, np.hypot(omega, sd), number)
    return Information(noise, np.full(number, sd))


def test_the_posterior_of_omega_is_that_of_quadrature() -> None:
    known = patients(0.3, 0.2)

    def density(omega: float) -> float:
        spread = np.hypot(omega, known.sd)
        prior = stats.halfnorm.pdf(omega, scale=0.5)
        return prior * np.prod(stats.norm.pdf(known.value, 0.0, spread) * 0.5)

    weight = omega_weights(known, LOG_PRIOR)
    below = integrate.quad(density, 0.0, 0.3, epsabs=0)[0]
    above = integrate.quad(density, 0.3, 5.0, epsabs=0)[0]
    # a grid of 5 % steps: at most one cell's weight, 3 %, is on the wrong side
    share = weight[OMEGAS <= 0.3].sum()
    assert share == pytest.approx(below / (below + above), abs=0.04)
    median = posterior_median(weight)
    below = integrate.quad(density, 0.0, median, epsabs=0)[0]
    above = integrate.quad(density, median, 5.0, epsabs=0)[0]
    assert below / (below + above) == pytest.approx(0.5, abs=0.04)


def test_unevenness_is_that_of_draws() -> None:
    """Place and width of eta given omega, from the normal equations of each draw."""
    known = Information(np.array([0.4, -0.2]), np.array([0.2, 0.5]))
    weight = omega_weights(known, LOG_PRIOR)
    omegas = _rng.choice(OMEGAS, 200_000, p=weight)
    for form, unit in (("deviation", np.ones_like(omegas)), ("z", omegas)):
        precision = 1 / omegas[:, None] ** 2 + 1 / known.sd**2
        width = 1 / np.sqrt(precision) / unit[:, None]
        place = known.value / known.sd**2 / precision / unit[:, None]
        moved = place.var(0) / (width**2).mean(0)
        expected = np.mean(np.log(width).var(0) + moved)
        # 200,000 draws: 1 % is four standard errors of such a ratio
        assert unevenness(form, known, weight) == pytest.approx(expected, rel=0.01)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("omega", "sd", "form"),
    [
        (0.5, 0.05, "deviation"),  # each patient is known: omega·z would bend
        (0.5, 2.0, "z"),  # nobody is known: a funnel as deviations
        (0.005, 0.1, "z"),  # all alike: omega may be 0
    ],
)
def test_the_form_follows_what_data_say(omega: float, sd: float, form: str) -> None:
    known = patients(omega, sd)
    assert smoother_form(known, omega_weights(known, LOG_PRIOR)) == form


@pytest.mark.parametrize(("sd", "form"), [(1e-4, "deviation"), (1e4, "z")])
def test_the_right_form_does_not_hang_on_omega_at_all(sd: float, form: str) -> None:
    known = Information(_rng.normal(0.0, 0.5, 30), np.full(30, sd))
    weight = omega_weights(known, LOG_PRIOR)
    assert unevenness(form, known, weight) < 1e-6  # type: ignore[arg-type]
    assert known.shrunk(0.5) == pytest.approx(
        known.value if form == "deviation" else 0.0, abs=1e-6
    )
