"""What other fits say of a decision: a family shares its programs and its patients."""

from pathlib import Path

import numpy as np
import pytest

from imak_pkpd.decide.evaluate import by_draw
from imak_pkpd.decide.of_run import decide_elsewhere, decide_run
from imak_pkpd.decide.restated import restated
from imak_pkpd.model import load_model
from tests.decide.toy import FIT, LEVELS, toy_sites, toy_spec
from tests.decide.toy_run import run_of

PRIOR = "r = { median = 0.2, gsd = 1.5 }"
FAMILY = FIT.replace("r = { fixed = 0.2 }", PRIOR)
SWITCHED = FAMILY.replace(PRIOR, "").replace("gsd = 1.2", "gsd = 1.1")
SWITCHED = SWITCHED.replace("r = { median = 0.2, gsd = 1.1 }", "r = { fixed = 0.25 }")


def run(folder: Path, fit: str, name: str, *dropped: str) -> Path:
    """A run of one fit of the family, with draws of all sites but some."""
    sites = {**toy_sites(), "omega_r": np.linspace(0.1, 0.3, 40)}
    draws = {n: v.reshape(2, 20) for n, v in sites.items() if n not in dropped}
    return run_of(folder, toy_spec(folder, LEVELS, fit, name), draws)


def test_a_fit_with_a_parameter_switched_off_uses_the_same_programs(
    tmp_path: Path,
) -> None:
    """r = 1/4 for everybody: harm is b/4 exactly; gain is as before, draw by draw."""
    decision = decide_run(run(tmp_path, FAMILY, "family"))
    before = by_draw.cache_info().misses
    off = run(tmp_path, SWITCHED, "switched", "theta_r", "omega_r")
    (found,) = decide_elsewhere(decision, [off])
    assert by_draw.cache_info().misses == before
    assert found.best is not None
    assert found.best.amounts == {"a": 2.0, "b": 2.0}
    assert found.best.means["harm"] == pytest.approx(0.5, rel=1e-12)
    here = next(row for row in decision.rows if row.amounts == found.best.amounts)
    assert found.best.means["gain"] == pytest.approx(here.means["gain"], rel=1e-12)


def test_another_model_of_the_outcome_has_programs_of_its_own(tmp_path: Path) -> None:
    """Harm is read a day later: e^-1 of the drug is left."""
    decision = decide_run(run(tmp_path, FAMILY, "family"))
    line = 'harm = { kind = "value", output = "harm", at = 0.0, dose = "b" }'
    later = FAMILY.replace(line, line.replace("0.0", "1.0"))
    before = by_draw.cache_info().misses
    (found,) = decide_elsewhere(decision, [run(tmp_path, later, "later")])
    assert by_draw.cache_info().misses > before
    assert found.ours is not None
    assert decision.chosen is not None
    ours = decision.rows[decision.chosen]
    share = found.ours.means["harm"] / ours.means["harm"]
    assert share == pytest.approx(np.exp(-1), rel=2e-3)  # a step errs by 1e-3


def into_family(folder: Path, fit: str) -> dict[str, np.ndarray] | None:
    """All draws of a fit, in the sites of the family."""
    into = toy_spec(folder, LEVELS, FAMILY, "family")
    spec = toy_spec(folder, LEVELS, fit, "one")
    drawn = {"theta_s": np.zeros(3), "trial_a_amount": np.ones(3)}
    if "r = { median = 0.2, gsd = 1.2 }" in fit:
        drawn["theta_r"] = np.ones(3)
    wanted = ["theta_s", "theta_r", "omega_r", "trial_a_amount"]
    return restated(drawn, spec, into, load_model(spec.model), wanted)


def test_what_is_known_is_a_site_that_never_changes(tmp_path: Path) -> None:
    """A parameter on its scale (ln 1/4), an SD as written, none where none differ."""
    found = into_family(tmp_path, SWITCHED)
    assert found is not None
    np.testing.assert_allclose(found["theta_r"], np.log(0.25), rtol=1e-15)
    np.testing.assert_array_equal(found["omega_r"], 0.0)
    fixed = into_family(tmp_path, FIT)
    assert fixed is not None
    np.testing.assert_array_equal(fixed["theta_r"], 1.0)
    np.testing.assert_array_equal(fixed["omega_r"], 0.2)


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("s = { fixed = 0.3 }", "s = { fixed = 0.4 }"),
        ("s = { fixed = 0.3 }", "s = { median = 0.3, gsd = 1.2 }"),
        ("s = { fixed = 0.3 }", ""),
        ("patients = 16", "patients = 32"),
        ("share = 0.5", "share = 0.4"),
        ("below = 1.0", "below = 2.0"),
        ("amount = 3.0 }\nb", "amount = 2.0 }\nb"),
        ("r = { fixed = 0.2 }", 'r = { fixed = 0.2, of = "variance" }'),
    ],
)
def test_other_patients_are_not_taken_for_the_same(
    tmp_path: Path, text: str, other: str
) -> None:
    assert text in FIT
    assert into_family(tmp_path, FIT.replace(text, other)) is None
