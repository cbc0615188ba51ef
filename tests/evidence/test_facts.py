"""Log-likelihoods of published facts against SciPy; replicates against their law."""

import numpy as np
import pytest
from scipy import integrate, stats

from imak_pkpd.evidence import AtLeastFact, BinomialFact, NormalFact

MEANS = np.array([0.01, 0.2, 0.5, 0.7, 0.99])
SEEN = {"alpha": 4.0, "beta": 2.0}
WHERE = {"of": "cr", "cohort": "trial"}


def binomial(k: int, n: int) -> BinomialFact:
    return BinomialFact.model_validate({"kind": "binomial", "k": k, "n": n, **WHERE})


def at_least(k: int, n: int, **more: object) -> AtLeastFact:
    raw = {"kind": "at_least", "k": k, "n": n, **WHERE, **more}
    return AtLeastFact.model_validate(raw)


@pytest.mark.parametrize(("k", "n"), [(23, 33), (0, 33), (6, 6)])
def test_binomial(k: int, n: int) -> None:
    got = binomial(k, n).log_likelihood(MEANS)
    np.testing.assert_allclose(got, stats.binom.logpmf(k, n, MEANS), rtol=1e-10)


@pytest.mark.parametrize(("k", "n"), [(6, 33), (1, 33), (33, 33)])
def test_at_least(k: int, n: int) -> None:
    got = at_least(k, n).log_likelihood(MEANS)
    np.testing.assert_allclose(got, stats.binom.logsf(k - 1, n, MEANS), rtol=1e-9)


def test_at_least_of_who_was_seen() -> None:
    """The share that was seen, Beta(4, 2), by adaptive quadrature to 1e-9."""
    seen = stats.beta(4, 2)

    def expected(mean: float) -> float:
        chance = lambda r: stats.binom.sf(5, 33, r * mean) * seen.pdf(r)  # noqa: E731
        return float(np.log(integrate.quad(chance, 0, 1, epsabs=1e-13)[0]))

    got = at_least(6, 33, observed=SEEN).log_likelihood(MEANS)
    np.testing.assert_allclose(got, [expected(m) for m in MEANS], rtol=1e-6)


def test_nothing_asked_nothing_learnt() -> None:
    np.testing.assert_array_equal(at_least(0, 33).log_likelihood(MEANS), 0.0)


@pytest.mark.parametrize("scale", ["identity", "log"])
def test_normal(scale: str) -> None:
    raw = {"kind": "normal", "value": 5.8, "sd": 0.5, "scale": scale, **WHERE}
    fact = NormalFact.model_validate(raw)
    means = np.array([3.0, 5.8, 9.0])
    away = np.log(means / 5.8) if scale == "log" else means - 5.8
    expected = stats.norm.logpdf(away, 0, 0.5)
    np.testing.assert_allclose(fact.log_likelihood(means), expected, rtol=1e-10)


@pytest.mark.parametrize("mean", [0.0, 1.0])
def test_the_ends_are_finite(mean: float) -> None:
    ends = np.array([mean])
    for fact in (
        binomial(23, 33),
        at_least(6, 33, observed=SEEN),
    ):
        assert np.isfinite(fact.log_likelihood(ends)).all()


def test_replicates() -> None:
    """20,000 of them: the mean within 4 standard errors."""
    rng, mean = np.random.default_rng(1), np.full(20_000, 0.4)
    drawn = binomial(23, 33).replicate(mean, rng)
    assert abs(drawn.mean() - 33 * 0.4) < 4 * np.sqrt(33 * 0.24 / 20_000)
    seen = at_least(6, 33, observed=SEEN).replicate(mean, rng)
    assert abs(seen.mean() - 33 * 0.4 * 4 / 6) < 4 * seen.std() / np.sqrt(20_000)


@pytest.mark.parametrize(
    ("raw", "word"),
    [
        ({"kind": "binomial", "k": 34, "n": 33}, "k is the smaller one"),
        ({"kind": "binomial", "k": 3}, "n"),
        ({"kind": "binomial", "k": 3, "n": 33, "seen": 1}, "seen"),
    ],
)
def test_a_fact_that_is_wrong(raw: dict, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        BinomialFact.model_validate({**raw, **WHERE})
