"""Weighted draws: may they be used, and what other facts would have taught."""

import json
from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy.special import logsumexp

from imak_pkpd.check.contraction import ParameterDraws, learned, parameter_draws
from imak_pkpd.check.directions import correlations, directions
from imak_pkpd.check.fact_predictive import predicted
from imak_pkpd.check.reweighting import (
    Moved,
    Reading,
    added,
    alternatives,
    dropped,
    moved,
    weighted_quantiles,
)
from imak_pkpd.check.weighted_table import weighted_table
from imak_pkpd.check.weighting import diagnose_weighting, is_weighted
from imak_pkpd.fit.weights import effective
from tests import weighted_run as made_up


@pytest.fixture(scope="module")
def tree() -> xr.DataTree:
    return made_up.weighted_tree()


@pytest.fixture(scope="module")
def direct() -> dict[str, np.ndarray]:
    """Draws of the prior from another seed, far more than the run has."""
    random = np.random.default_rng(7)
    drawn = [made_up.sites(random) for _ in range(12)]
    return {name: np.concatenate([d[name] for d in drawn]) for name in drawn[0]}


def importance(direct: dict[str, np.ndarray], facts: list[str]) -> dict[str, float]:
    """Posterior means from these facts, by weighting the prior directly."""
    found = made_up.means(direct)
    terms = made_up.log_likelihoods(found)
    total = sum(terms[name] for name in facts)
    weight = np.exp(total - logsumexp(total))
    return {name: float(weight @ value) for name, value in found.items()}


def close(tree: xr.DataTree, reading: Reading, expected: dict[str, float]) -> None:
    rows: list[Moved] = list(moved(tree, reading))
    assert [row.estimand for row in rows] == list(expected)
    for row in rows:
        # 4 SE, the direct mean's own added: it has twelve times as many draws
        error = 4 * row.error * np.sqrt(1 + 1 / 12)
        assert row.mean == pytest.approx(expected[row.estimand], abs=error)
        assert row.error < 0.05 * (row.high - row.low)


@pytest.mark.parametrize("place", range(4))
def test_dropping_a_fact_is_importance_sampling_without_it(
    tree: xr.DataTree, direct: dict[str, np.ndarray], place: int
) -> None:
    reading = dropped(tree)[place]
    assert reading.fact == made_up.USED[place]
    rest = [name for name in made_up.USED if name != reading.fact]
    close(tree, reading, importance(direct, rest))


def test_another_reading_takes_the_place_of_its_fact(
    tree: xr.DataTree, direct: dict[str, np.ndarray]
) -> None:
    (reading,) = alternatives(tree)
    assert (reading.fact, reading.alternative) == ("response", "late_cr")
    facts = ["response [late_cr]", *made_up.USED[1:]]
    close(tree, reading, importance(direct, facts))


def test_a_fact_that_was_kept_out_can_be_added(
    tree: xr.DataTree, direct: dict[str, np.ndarray]
) -> None:
    (reading,) = added(tree)
    close(tree, reading, importance(direct, [*made_up.USED, "later"]))


def test_a_fact_of_its_own_parameter_moves_nothing_else(tree: xr.DataTree) -> None:
    level = next(one for one in dropped(tree) if one.fact == "level")
    shifts = {row.estimand: row.shift for row in moved(tree, level)}
    posterior_sd = 1 / np.sqrt(1 / made_up.SD["c"] ** 2 + 1 / made_up.LEVEL_SD**2)
    precise = made_up.LEVEL / made_up.LEVEL_SD**2
    mean = posterior_sd**2 * (made_up.MEAN["c"] / made_up.SD["c"] ** 2 + precise)
    # without it the mean is the prior's again, whose SD is 2; 4 SE of it
    error = 4 * made_up.SD["c"] / posterior_sd / np.sqrt(level.ess)
    expected = (made_up.MEAN["c"] - mean) / posterior_sd
    assert shifts.pop("level") == pytest.approx(expected, abs=error)
    assert max(map(abs, shifts.values())) < 0.1


def test_contraction_and_shift_against_the_closed_form(tree: xr.DataTree) -> None:
    rows = {row.parameter: row for row in learned(parameter_draws(tree))}
    assert set(rows) == {"a", "b", "c", "d", "trial_cells_amount"}
    before, sigma = made_up.SD["c"] ** 2, made_up.LEVEL_SD**2
    c = rows["c"]
    assert c.contraction == pytest.approx(
        before / (before + sigma), abs=4 * c.contraction_se
    )
    gain = before / (before + sigma)
    moved_by = gain * (made_up.LEVEL - made_up.MEAN["c"]) / made_up.SD["c"]
    assert c.shift == pytest.approx(moved_by, abs=4 * c.shift_se)
    assert {name for name, row in rows.items() if row.nothing} == {
        "d",
        "trial_cells_amount",
    }


def test_a_parameter_that_nothing_depends_on_is_seldom_said_to_have_learned() -> None:
    random = np.random.default_rng(5)
    names = tuple(f"p{k}" for k in range(400))
    prior, posterior = (random.normal(size=(n, 400)) for n in (2000, 50))
    drawn = ParameterDraws(names, prior, posterior, np.full(50, 1 / 50))
    # 3 SE on both sides, twice: 0.5 % of 400, and the tail of a variance is heavier
    assert sum(not row.nothing for row in learned(drawn)) <= 8


def test_contraction_without_refined_parameters_uses_the_posterior(
    tree: xr.DataTree,
) -> None:
    groups = {name: node.to_dataset() for name, node in tree.children.items()}
    groups["refined"] = groups["refined"].drop_vars("theta_c")
    other = xr.DataTree.from_dict(groups)
    drawn = parameter_draws(other)
    assert drawn.size == pytest.approx(made_up.KEPT)
    kept = {row.parameter: row.contraction for row in learned(drawn)}
    whole = {row.parameter: row for row in learned(parameter_draws(tree))}
    for name, row in whole.items():
        assert kept[name] == pytest.approx(row.contraction, abs=0.15)


def test_directions_and_correlations_find_the_sum_of_two(tree: xr.DataTree) -> None:
    drawn = parameter_draws(tree)
    found = directions(drawn)
    assert {next(iter(one.loadings)) for one in found[:2]} == {"a", "c"}
    assert all(one.beyond_noise for one in found[:2])
    assert [one.contraction for one in found] == sorted(
        (one.contraction for one in found), reverse=True
    )
    assert not any(one.beyond_noise for one in found[-2:])
    pair = correlations(drawn, 1)[0]
    assert {pair.one, pair.other} == {"a", "b"}
    spread = np.cov(drawn.posterior.T, aweights=drawn.weight)
    direct = spread[0, 1] / np.sqrt(spread[0, 0] * spread[1, 1])
    assert pair.correlation == pytest.approx(direct, rel=1e-6)


def test_predictions_come_from_the_facts_own_law(tree: xr.DataTree) -> None:
    rows = {row.fact: row for row in predicted(tree)}
    assert list(rows) == [*made_up.USED, "later"]
    prior = tree["prior_estimand"].to_dataset()
    # 4 SE of a mean of 2,000 counts of at most 33
    for name, of, n in (("response", "cr", 33), ("cured", "cure", 33 * 4 / 6)):
        mean = n * float(prior[of].mean())
        assert rows[name].prior.mean() == pytest.approx(mean, abs=4 * 9 / np.sqrt(2000))
    assert len(rows["later"].posterior) == made_up.KEPT  # not among the replicates
    assert not rows["later"].used


def test_good_weights_pass(tree: xr.DataTree) -> None:
    found = diagnose_weighting(tree)
    assert is_weighted(tree)
    assert found.passed, found.verdict
    assert found.not_run == ()
    assert found.verdict == "PASSED: all 8 checks of the draws"
    assert found.value("ESS") == pytest.approx(
        json.loads(tree.attrs["weighting"])["ess"]
    )


@pytest.mark.parametrize(
    ("check", "figures"),
    [
        ("failed solves", {"failed": 4000}),
        ("scrambles", {"scrambles": {"cr": {"first": 0.5, "second": 0.6, "se": 0.03}}}),
        ("solver error of means", {"solver": {"cr": 0.1}}),
    ],
)
def test_each_figure_can_fail(check: str, figures: dict[str, Any]) -> None:
    found = diagnose_weighting(made_up.weighted_tree(**figures))
    assert [one.check for one in found.failed] == [check]
    assert not found.passed


def test_rounding_is_no_difference() -> None:
    same = {"cr": {"first": 1.0, "second": 1.0 + 7e-16, "se": 3e-17}}
    assert diagnose_weighting(made_up.weighted_tree(scrambles=same)).passed


def test_the_tail_of_bounded_weights_is_shown_and_not_judged() -> None:
    found = diagnose_weighting(made_up.weighted_tree(khat=1.2))
    assert found.passed
    assert found.value("k-hat") == 1.2


def test_few_failed_solves_are_explained_by_what_they_could_weigh() -> None:
    found = diagnose_weighting(made_up.weighted_tree(failed=3))
    assert found.passed
    (one,) = (f for f in found.findings if f.check == "failed solves")
    assert "3 of 16000 draws" in one.message
    assert "would hold" in one.message


def test_one_heavy_draw_fails_three_checks(tree: xr.DataTree) -> None:
    bad = tree.copy(deep=True)
    log_weight = bad["refined"].to_dataset()["log_weight"].values
    log_weight[0] = log_weight.max() + 6.0
    log_weight -= logsumexp(log_weight)
    failed = {one.check for one in diagnose_weighting(bad).failed}
    # the heavy draw is not what its facts say, so the terms are wrong too
    assert {"largest weight", "weights", "ESS"} >= failed >= {"largest weight"}
    assert "weights" in failed


def test_a_result_without_refined_draws_does_not_pass(tree: xr.DataTree) -> None:
    groups = {n: c.to_dataset() for n, c in tree.children.items() if n != "refined"}
    bare = xr.DataTree.from_dict(groups)
    bare.attrs.update(tree.attrs)
    found = diagnose_weighting(bare)
    assert not found.passed
    assert "ESS not run" in found.verdict


def test_the_table_has_prior_and_posterior(tree: xr.DataTree) -> None:
    table = weighted_table(tree, {"a": "1/day"}).set_index("name")
    assert list(table.index) == [
        "a_pop",
        "b_pop",
        "c_pop",
        "d_pop",
        "trial_cells_amount",
    ]
    assert table.loc["a_pop", "unit"] == "1/day"
    assert table.loc["a_pop", "prior_median"] == pytest.approx(2.0, rel=0.1)
    wide = table["prior_upper"] - table["prior_lower"]
    assert wide["c_pop"] > 2 * (table["upper"] - table["lower"])["c_pop"]


def test_a_parameter_named_like_an_effect_is_a_parameter(tree: xr.DataTree) -> None:
    names = {"d_pop": "z_rho_pop", "theta_d": "theta_z_rho"}
    other = tree["posterior"].to_dataset().rename(names)
    table = weighted_table(xr.DataTree.from_dict({"posterior": other}))
    assert "z_rho_pop" in set(table["name"])
    assert table["prior_median"].isna().all()


def test_weighted_quantiles_of_equal_weights_are_those_of_numpy() -> None:
    values = np.random.default_rng(3).normal(size=4000)
    low, high = weighted_quantiles(values, np.full(4000, -np.log(4000)), (0.05, 0.95))
    assert (low, high) == pytest.approx(np.quantile(values, (0.05, 0.95)), abs=0.01)
    assert effective(np.zeros(4000)) == pytest.approx(4000)
