"""The shipped fit of published outcomes, with fewer draws than it asks for."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from imak_pkpd.check.reweighting import Moved, dropped, moved
from imak_pkpd.check.weighting import scramble_distances, weighting_of
from imak_pkpd.fit.evidence_fit import begin_evidence, run_evidence
from imak_pkpd.fit.problem import read_model
from imak_pkpd.fit.run import POSTERIOR
from imak_pkpd.fit.spec import read_fit
from imak_pkpd.fit.tree import read_tree
from tests.solve.medians import prior_medians

FAMILY = sorted(Path(__file__).parents[2].glob("fits/2*.toml"))
SHORT = {"prior_draws": 1600, "refined_draws": 400}


@pytest.mark.parametrize("path", FAMILY, ids=lambda path: path.stem)
def test_the_family_is_read(path: Path) -> None:
    spec = read_fit(path)
    read_model(spec)  # in agreement with the fit file
    assert sum(fact.use for fact in spec.evidence.values()) == 5
    assert all(fact.source for fact in spec.evidence.values())


def test_hypotheses_are_wider_than_before(root: Path) -> None:
    """Certainty D: 1.5 times the spread of 190 on the parameter's scale, no other."""
    before, after = (
        read_fit(root / "fits" / name).theta
        for name in ("190-imak-prior.toml", "200-slavin2023.toml")
    )
    for name, line in before.items():
        if line.column is not None:
            continue
        wider = 1.5 if line.source.startswith("D:") else 1.0
        if line.gsd is not None:
            ratio = np.log(after[name].gsd) / np.log(line.gsd)
        else:
            ratio = after[name].sd / line.sd
        assert ratio == pytest.approx(wider, rel=1e-4), name


def test_priors_are_the_science_s(root: Path, shared: Path) -> None:
    """Medians to the six digits of the file, spreads as stated."""
    medians = prior_medians(shared)
    theta = read_fit(root / "fits/190-imak-prior.toml").theta
    for name, line in theta.items():
        if line.column is None:
            assert line.median == pytest.approx(medians[name], rel=1e-5), name


@pytest.fixture(scope="module")
def tree(root: Path, tmp_path_factory: pytest.TempPathFactory) -> xr.DataTree:
    runs = tmp_path_factory.mktemp("runs")
    spec, model, folder = begin_evidence(
        read_fit(root / "fits/200-slavin2023.toml"), runs, overrides=SHORT
    )
    run_evidence(spec, model, folder)
    return read_tree(folder / POSTERIOR)


@pytest.mark.slow
def test_weights_are_good(tree: xr.DataTree) -> None:
    """Half of the refined draws count, none fails, and both scrambles agree."""
    said = weighting_of(tree)
    assert said["failed"] == 0
    assert said["ess"] >= 0.5 * SHORT["refined_draws"]
    assert max(scramble_distances(said).values()) <= 3


def without(tree: xr.DataTree, estimand: str) -> dict[str, Moved]:
    """The mean of an estimand without each fact."""
    return {
        reading.fact: next(m for m in moved(tree, reading) if m.estimand == estimand)
        for reading in dropped(tree)
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fact", "estimand"),
    [("cured", "cure"), ("no_gvhd", "gvhd"), ("no_grade_4", "grade_4")],
)
def test_a_fact_moves_what_it_speaks_of(
    tree: xr.DataTree, fact: str, estimand: str
) -> None:
    """Left out, it moves its own estimand more than any other fact does."""
    found = without(tree, estimand)
    assert max(found, key=lambda name: abs(found[name].shift)) == fact


@pytest.mark.slow
def test_the_remissions_say_how_many_there_are(tree: xr.DataTree) -> None:
    """They lie where the prior has its middle: they hardly move their share (with 400
    draws not beyond their error), but narrow its interval as no other fact does.
    """
    found = without(tree, "cr")
    width = {name: each.high - each.low for name, each in found.items()}
    assert max(width, key=width.__getitem__) == "remission"
