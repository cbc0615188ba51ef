"""Fits of records and facts together, to a run folder: the posterior on paper."""

import csv
import re
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from scipy.stats import norm

from imak_pkpd.check.reweighting import dropped
from imak_pkpd.check.virtual_patients import diagnose_chains
from imak_pkpd.fit.evidence_fit import begin_evidence, run_evidence
from imak_pkpd.fit.fit import begin_again, fit
from imak_pkpd.fit.problem import read_model
from imak_pkpd.fit.run import POSTERIOR, read_record
from imak_pkpd.fit.sampler import plan_of
from imak_pkpd.fit.spec import FitSpec, read_fit
from imak_pkpd.fit.tree import read_tree
from imak_pkpd.fit.virtual import virtual_cohort
from imak_pkpd.model.load import load_model
from imak_pkpd.report import write_report
from imak_pkpd.report.chapters import OF_BOTH, OF_BOTH_TEMPERED
from tests.fit.joint import on_paper, write_joint

SHORT = {"chains": 2, "warmup": 150, "draws": 500}
PARTICLES = 1000


@pytest.fixture(scope="module")
def spec(root: Path, tmp_path_factory: pytest.TempPathFactory) -> FitSpec:
    return read_fit(write_joint(root, tmp_path_factory.mktemp("joint")))


@pytest.fixture(scope="module")
def paper(spec: FitSpec) -> tuple[float, float]:
    cohort = virtual_cohort(spec, load_model(spec.model), "trial")
    return on_paper(cohort.patients.normals[:, 0])


@pytest.fixture(scope="module")
def folder(spec: FitSpec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fit(spec, tmp_path_factory.mktemp("runs"), overrides=SHORT)


@pytest.fixture(scope="module")
def sampled(folder: Path) -> xr.DataTree:
    return read_tree(folder / POSTERIOR)


@pytest.mark.slow
def test_tempering_gives_the_posterior_on_paper(
    spec: FitSpec, paper: tuple[float, float], tmp_path: Path
) -> None:
    """By particles, on the virtual patients of its own first stage.

    1,000 that were resampled and moved sixteen times are worth two thirds at least.
    """
    overrides = {"sampler": "tempered", "refined_draws": PARTICLES, "prior_draws": 500}
    own, model, folder = begin_evidence(spec, tmp_path / "runs", overrides=overrides)
    run_evidence(own, model, folder)
    assert read_record(folder).data is not None
    tree = read_tree(folder / POSTERIOR)
    refined = tree["refined"].to_dataset()
    # the weights lead to other points of the integral: undone, it is that of the first
    few = refined["log_weight"] - refined["log_likelihood"].sel(fact="peak")
    assert np.ptp((few - refined["log_proposal"]).values) < 1e-9
    theta = refined["theta_V1"].values
    mean, sd = paper
    assert abs(theta.mean() - mean) < 4 * sd / np.sqrt(2 / 3 * PARTICLES)
    assert abs(theta.std() / sd - 1) < 4 / np.sqrt(4 / 3 * PARTICLES)
    assert tree["posterior"]["eta_V1"].dims == ("chain", "draw", "subject")
    _, _, begun = begin_evidence(spec, tmp_path / "others", overrides=overrides)
    with pytest.raises(ValueError, match="start anew"):
        begin_again(begun)
    page = write_report(folder).read_text(encoding="utf-8")
    chapters = re.findall(r'<section id="([^"]+)"', page)
    assert chapters == ["front", *(section.anchor for section in OF_BOTH_TEMPERED)]
    assert "could not be made (" not in page
    assert "none: virtual ones only" not in page


@pytest.mark.slow
def test_without_the_fact_it_is_the_patients_posterior(
    sampled: xr.DataTree, spec: FitSpec, paper: tuple[float, float]
) -> None:
    """By reweighting of `refined`: on paper, within 4 standard errors."""
    (reading,) = dropped(sampled)
    weight = np.exp(reading.log_weight)
    theta = sampled["refined"]["theta_V1"].values
    cohort = virtual_cohort(spec, load_model(spec.model), "trial")
    mean, _ = on_paper(cohort.patients.normals[:, 0], fact=False)
    got = weight @ theta
    assert abs(got - mean) < 4 * np.sqrt(np.sum(weight**2 * (theta - got) ** 2))
    # The weight 1/L of a normal fact with SD 0.2 is exp(x^2 / 0.08), x ~ N(0, sd): its
    # tail falls as t^-(0.04/sd^2). Error of a fit to 3 sqrt(n) of n draws: Hosking &
    # Wallis 1987, Technometrics 29:339.
    shape, tail = (paper[1] / 0.2) ** 2, 3.0 * np.sqrt(len(theta))
    assert abs(reading.k_hat - shape) < 3.0 * (1.0 + shape) / np.sqrt(tail)


@pytest.mark.slow
def test_what_a_run_keeps_of_the_facts(folder: Path, sampled: xr.DataTree) -> None:
    refined = sampled["refined"].to_dataset()
    assert list(refined["fact"].values) == ["peak", "peak [late]", "trough"]
    np.testing.assert_allclose(np.exp(refined["log_weight"]).sum(), 1.0)
    assert sampled["cohort_estimand"]["top"].dims == ("chain", "draw", "cohort")
    assert sampled["estimand"]["top"].dims == ("chain", "draw", "subject")
    assert sampled["prior_estimand"].sizes["draw"] == 400
    terms = sampled["log_likelihood"]["fact_log_likelihood"]
    assert terms.dims == ("chain", "draw", "fact")
    mean = sampled["cohort_estimand"]["top"].sel(cohort="trial")
    expected = norm.logpdf(np.log(mean / 8.0), 0.0, 0.2)
    np.testing.assert_allclose(terms.sel(fact="peak"), expected, rtol=1e-9)
    certificate = read_record(folder).choices["certificate"]
    assert certificate["certified"]
    assert certificate["limit"] == 0.01  # of three patients: the facts add none


@pytest.mark.slow
def test_the_checks_and_the_page(folder: Path, sampled: xr.DataTree) -> None:
    """Chapters of patients with the evidence among them; nothing breaks."""
    found = diagnose_chains(sampled, 0.0)
    assert found.value("virtual patients") is not None
    page = write_report(folder).read_text(encoding="utf-8")
    chapters = re.findall(r'<section id="([^"]+)"', page)
    assert chapters == ["front", *(section.anchor for section in OF_BOTH)]
    assert "could not be made (" not in page
    with (folder / "tables" / "facts.csv").open() as file:
        facts = {row["fact"]: row for row in csv.DictReader(file)}
    assert facts["trough"]["used"] == "no"
    before, after = (
        float(facts["peak"][f"{when} 95 %"]) - float(facts["peak"][f"{when} 5 %"])
        for when in ("prior", "posterior")
    )
    assert after < before
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    ("sampler", "keep", "want"),
    [
        ("weights", "both", "got 'weights' with \\[data\\]"),
        ("tempered", "data", "got 'tempered' without \\[evidence\\]"),
    ],
)
def test_samplers_that_do_not_suit(
    root: Path, tmp_path: Path, sampler: str, keep: str, want: str
) -> None:
    path = write_joint(root, tmp_path)
    text = path.read_text() + f'sampler = "{sampler}"\n'
    if keep == "data":
        first, last = text.index("[evidence.peak]"), text.index("[estimation]")
        text = text[:first] + text[last:]
    path.write_text(text)
    with pytest.raises(ValueError, match=want):
        read_model(read_fit(path))


def test_the_plan_is_nuts_with_a_caution(spec: FitSpec) -> None:
    plan = plan_of(spec)
    assert plan.sampler == "nuts"
    assert "staircase" in plan.caution
