"""The checks of draws: each limit from both sides, and what is missing is said."""

import numpy as np
import pytest
import xarray as xr

from imak_pkpd.check.convergence import Diagnostics, diagnose, ess_bulk, rhat
from imak_pkpd.check.parameter_table import INTERVAL, parameter_table
from imak_pkpd.fit.tree import Variable, build_tree, posterior_group

CHAINS, DRAWS, SUBJECTS = 4, 1000, 40
DRAW = ("chain", "draw")


def values(**changes: np.ndarray) -> dict[str, np.ndarray]:
    """Independent draws of a small population model, some of them replaced."""
    rng = np.random.default_rng(3)
    return {
        "theta_CL": rng.normal(1.0, 0.1, (CHAINS, DRAWS)),
        "CL_pop": rng.normal(2.7, 0.3, (CHAINS, DRAWS)),
        "V_pop": np.full((CHAINS, DRAWS), 32.0),  # fixed in the fit file
        "omega_CL": rng.normal(0.4, 0.02, (CHAINS, DRAWS)),
        "donor_sigma": rng.normal(0.2, 0.01, (CHAINS, DRAWS)),
        "eta_CL": rng.normal(0.0, 0.2, (CHAINS, DRAWS, SUBJECTS))
        + np.linspace(-0.5, 0.5, SUBJECTS),
        **changes,
    }


def statistics(**changes: np.ndarray) -> dict[str, Variable]:
    rng = np.random.default_rng(4)
    arrays = {
        "energy": rng.normal(0.0, 1.0, (CHAINS, DRAWS)),
        "diverging": np.zeros((CHAINS, DRAWS), bool),
        "reached_max_treedepth": np.zeros((CHAINS, DRAWS), bool),
        "failed_solves": np.zeros((CHAINS, DRAWS), bool),
        **changes,
    }
    return {name: Variable(DRAW, value) for name, value in arrays.items()}


def result(
    posterior: dict[str, np.ndarray] | None = None,
    sample_stats: dict[str, Variable] | None = None,
) -> xr.DataTree:
    groups = {
        "posterior": posterior_group(posterior or values(), SUBJECTS),
        "sample_stats": sample_stats or statistics(),
    }
    return build_tree(groups, {}, {})


def failed(diagnostics: Diagnostics) -> list[str]:
    return [finding.check for finding in diagnostics.failed]


def shifted(by: float) -> np.ndarray:
    """One chain moved by so many standard deviations."""
    drawn = values()["CL_pop"].copy()
    drawn[0] += by * 0.3
    return drawn


def one(flag: bool) -> np.ndarray:
    flags = np.zeros((CHAINS, DRAWS), bool)
    flags[2, 17] = flag
    return flags


def slow(factor: int) -> np.ndarray:
    """Every draw repeated: the effective size falls by the factor."""
    drawn = np.random.default_rng(5).normal(size=(CHAINS, DRAWS // factor))
    return np.repeat(drawn, factor, axis=1)


def test_good_draws_pass_and_the_missing_certificate_is_said() -> None:
    found = diagnose(result())
    assert found.passed
    assert failed(found) == []
    assert [missing.check for missing in found.not_run] == ["solver accuracy"]
    assert (
        found.verdict == "PASSED: all 9 checks of the draws (not run: solver accuracy)"
    )
    assert found.value("divergences") == 0
    assert found.value("solver accuracy") is None


@pytest.mark.parametrize(
    ("posterior", "checks"),
    [
        ({"CL_pop": shifted(0.6)}, ["R-hat"]),
        ({"CL_pop": slow(20)}, ["bulk ESS", "tail ESS"]),
        ({"CL_pop": np.full((CHAINS, DRAWS), np.nan)}, ["finite draws"]),
        ({"donor_sigma": np.repeat(np.arange(4.0)[:, None], DRAWS, 1)}, ["R-hat"]),
    ],
    ids=["apart", "slow", "nan", "stuck"],
)
def test_bad_population_draws_fail(
    posterior: dict[str, np.ndarray], checks: list[str]
) -> None:
    found = failed(diagnose(result(values(**posterior))))
    assert set(found) >= set(checks)
    assert not diagnose(result(values(**posterior))).passed


@pytest.mark.parametrize(
    ("by", "patients", "fails"),
    [(0.0, 0, False), (0.3, 40, True), (1.5, 1, True), (0.15, 4, False)],
)
def test_individual_effects_have_limits_of_their_own(
    by: float, patients: int, fails: bool
) -> None:
    """A chain moved by 0.15 sd gives R-hat of 1.01 to 1.02, by 0.3 of 1.04."""
    eta = values()["eta_CL"].copy()
    eta[0, :, :patients] += by * 0.2 * 2
    found = diagnose(result(values(eta_CL=eta)))
    assert ("R-hat of individual effects" in failed(found)) == fails


def test_one_effect_in_a_hundred_may_be_worse() -> None:
    wide = np.random.default_rng(6).normal(size=(CHAINS, DRAWS, 200))
    wide[0, :, :2] += 2.0
    tree = build_tree(
        {"posterior": posterior_group({"eta_CL": wide, "a": wide[..., 9]}, 200)}, {}, {}
    )
    found = diagnose(tree)
    value = found.value("R-hat of individual effects")
    assert value is not None
    assert value > 1.03
    assert failed(found) == []


@pytest.mark.parametrize(
    ("check", "name"),
    [
        ("divergences", "diverging"),
        ("tree depth", "reached_max_treedepth"),
        ("failed solves", "failed_solves"),
    ],
)
def test_one_bad_trajectory_is_counted(check: str, name: str) -> None:
    found = diagnose(result(sample_stats=statistics(**{name: one(True)})))
    assert failed(found) == [check]
    assert found.value(check) == 1
    assert not found.passed
    assert "1 " in found.verdict


def test_sticky_energy_fails() -> None:
    steps = np.random.default_rng(7).normal(size=(CHAINS, DRAWS))
    walk = np.cumsum(steps, axis=1)  # E-BFMI of a random walk goes to 0
    found = diagnose(result(sample_stats=statistics(energy=walk)))
    assert failed(found) == ["E-BFMI"]


@pytest.mark.parametrize(("error", "passes"), [(0.0109, True), (0.0112, False)])
def test_the_solver_is_judged_by_the_number_of_subjects(
    error: float, passes: bool
) -> None:
    """40 subjects: 0.01·√(40/33) = 0.01101."""
    found = diagnose(result(), solver_error=error)
    assert found.passed == passes
    assert found.not_run == ()


@pytest.mark.parametrize("group", ["posterior", "sample_stats"])
def test_a_missing_group_is_not_run_and_does_not_pass(group: str) -> None:
    tree = result()
    del tree[group]
    found = diagnose(tree)
    assert not found.passed
    assert failed(found) == []
    assert all(f"'{group}" in m.reason for m in found.not_run if m.required)
    assert "not run" in found.verdict


def test_one_chain_cannot_pass() -> None:
    drawn = {name: value[:1] for name, value in values().items()}
    found = diagnose(result(drawn))
    assert not found.passed
    assert "R-hat needs two chains" in found.verdict


def test_rhat_and_ess_of_independent_draws() -> None:
    drawn = np.random.default_rng(8).normal(size=(4, 1000))
    assert rhat(drawn) == pytest.approx(1.0, abs=0.005)
    # the error of an ESS of 4000 independent draws is some percent
    assert ess_bulk(drawn) == pytest.approx(4000, rel=0.1)
    # AR(1) with coefficient a has n(1 - a)/(1 + a) effective draws
    ar = np.zeros((4, 5000))
    noise = np.random.default_rng(9).normal(size=ar.shape)
    for i in range(1, 5000):
        ar[:, i] = 0.5 * ar[:, i - 1] + noise[:, i]
    assert ess_bulk(ar) == pytest.approx(20000 / 3, rel=0.1)


def test_the_parameter_table() -> None:
    drawn = values()
    table = parameter_table(result(drawn), {"CL": "L/h"}).set_index("name")
    assert table.attrs["interval"] == INTERVAL == "95 % equal-tailed interval"
    assert list(table.index) == ["CL_pop", "omega_CL", "donor_sigma"]
    row = table.loc["CL_pop"]
    flat = np.sort(drawn["CL_pop"].ravel())
    assert row["unit"] == "L/h"
    assert row["median"] == pytest.approx(flat[1999:2001].mean())
    assert np.mean(flat < row["lower"]) == pytest.approx(0.025, abs=1e-3)
    assert np.mean(flat > row["upper"]) == pytest.approx(0.025, abs=1e-3)
    means = drawn["eta_CL"].mean((0, 1))
    expected = 1 - means.std(ddof=1) / np.median(drawn["omega_CL"])
    assert table.loc["omega_CL", "shrinkage"] == pytest.approx(expected)
    assert np.isnan(row["shrinkage"])
    assert table["rhat"].max() < 1.01
