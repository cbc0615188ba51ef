"""The report of published facts: every chapter, nothing that needs a patient."""

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from imak_pkpd.report import write_report
from imak_pkpd.report.chapters import OF_FACTS, OF_PATIENTS, sections_of
from imak_pkpd.report.run import read_run
from tests import weighted_run as made_up

CHAPTERS = [
    "front",
    "cohort",
    "model",
    "computation",
    "parameters",
    "evidence",
    "limits",
    "provenance",
]
TABLES = {
    "facts",
    "cohort-estimands",
    "studies",
    "dropped-facts",
    "alternative-readings",
    "contraction",
    "directions",
    "correlations",
    "weighting",
    "scrambles",
    "parameters",
    "checks",
    "cohorts",
    "virtual-covariates",
    "virtual-doses",
    "model-parameters",
    "priors",
    "provenance",
}


@pytest.fixture(scope="module")
def tree() -> xr.DataTree:
    return made_up.weighted_tree()


@pytest.fixture(scope="module")
def folder(tree: xr.DataTree, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tree, tmp_path_factory.mktemp("run"))


def written(tree: xr.DataTree, folder: Path) -> Path:
    tree.to_netcdf(folder / "posterior.nc", engine="h5netcdf")
    (folder / "run.json").write_text(json.dumps(made_up.record()))
    write_report(folder)
    return folder


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / "tables" / f"{name}.csv").open() as file:
        return list(csv.DictReader(file))


def test_chapters_in_order_and_nothing_failed(page: str) -> None:
    assert re.findall(r'<section id="([^"]+)"', page) == CHAPTERS
    assert "Every part of this report could be made." in page
    assert "not run: " not in page.lower()
    assert 'class="said not-run"' not in page
    assert "could not be made (" not in page
    assert 'class="said fail"' not in page
    assert "Research use, not a medical device." in page


def test_nothing_comes_from_outside_or_runs(page: str) -> None:
    assert "http" not in page.replace("http-equiv", "")
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page  # the source of a fact, as text
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_the_figures_are_drawn(page: str) -> None:
    figures = re.findall(r'<figure id="([^"]+)"', page)
    assert figures == ["weights", "fact-predictions", "contraction"]
    assert page.count("<svg") == len(figures)


def test_every_table_is_a_file(folder: Path, page: str) -> None:
    files = {path.stem for path in (folder / "tables").glob("*.csv")}
    assert files >= TABLES
    assert set(re.findall(r'<table id="table-([^"]+)"', page)) == files


def test_agreement_is_said_to_be_no_evidence(page: str) -> None:
    assert page.count(made_up.TWICE) == 2  # front page, and above the facts


def test_facts_stand_beside_their_predictions(folder: Path, tree: xr.DataTree) -> None:
    found = {row["fact"]: row for row in rows(folder, "facts")}
    assert list(found) == [*made_up.USED, "later"]
    assert found["cured"]["published"] == ">= 6/33"
    assert found["later"]["used"] == "no"
    assert (found["cured"]["study"], found["later"]["study"]) == ("first", "–")
    kept = json.loads(tree.attrs["replicates"])["response"]
    median = float(found["response"]["posterior median"])
    assert median == pytest.approx(np.median(kept))
    wide, narrow = (
        float(found["response"][f"{what} 95 %"])
        - float(found["response"][f"{what} 5 %"])
        for what in ("prior", "posterior")
    )
    assert wide > narrow


def test_studies_name_their_facts_and_each_other(folder: Path) -> None:
    first, again = rows(folder, "studies")
    assert first["facts"] == ", ".join(made_up.USED)
    assert first["may share patients with"] == "again"
    assert first["priors set while looking at it"] == "a"
    assert (again["facts"], again["may share patients with"]) == ("–", "first")


def test_an_amount_that_was_not_published_says_why(folder: Path) -> None:
    (dose,) = rows(folder, "virtual-doses")
    assert dose["source"] == "amount: not published"


def test_each_fact_is_dropped_for_each_estimand(folder: Path) -> None:
    found = rows(folder, "dropped-facts")
    assert len(found) == len(made_up.USED) * len(made_up.ESTIMANDS)
    shifts = [abs(float(row["shift (SD)"])) for row in found]
    assert shifts == sorted(shifts, reverse=True)
    others = rows(folder, "alternative-readings")
    assert {row["change"] for row in others} == {
        "with response read as late_cr",
        "with later",
    }


def test_who_learned_nothing_is_named(page: str, folder: Path) -> None:
    silent = [r for r in rows(folder, "contraction") if r["learned"] == "nothing"]
    assert {row["parameter"] for row in silent} == {"d", "trial_cells_amount"}
    assert "2 of 5 parameters learned nothing" in page


def test_mechanisms_are_shown_only_where_they_were_asked_for(
    page: str, tree: xr.DataTree, tmp_path: Path
) -> None:
    assert "does not estimate the share of each mechanism" in page
    groups = {
        name: node.to_dataset().rename(
            {"late_cr": "mechanism_donor"} if "late_cr" in node else {}
        )
        for name, node in tree.children.items()
    }
    other = xr.DataTree.from_dict(groups)
    other.attrs.update(tree.attrs)
    (row,) = rows(written(other, tmp_path), "mechanisms")
    assert row["estimand"] == "mechanism_donor"
    expected = np.median(tree["cohort_estimand"].to_dataset()["late_cr"].values)
    assert float(row["posterior median"]) == pytest.approx(expected)


def test_too_few_draws_are_no_pass(tree: xr.DataTree, tmp_path: Path) -> None:
    groups = {name: node.to_dataset() for name, node in tree.children.items()}
    groups["refined"] = groups["refined"].isel(draw=slice(18))
    few = xr.DataTree.from_dict(groups)
    few.attrs.update(tree.attrs)
    text = (written(few, tmp_path) / "report.html").read_text(encoding="utf-8")
    assert "Too few draws to judge without cured, without gvhd" in text
    assert "No cohort mean moves" not in text
    assert "effective draws are too few for 5 parameters" in text
    assert "The facts inform" not in text


def test_bad_weights_are_said_first(tmp_path: Path) -> None:
    tree = made_up.weighted_tree(failed=4000)
    text = (written(tree, tmp_path) / "report.html").read_text(encoding="utf-8")
    assert "The draws did not pass" in text
    assert text.index("The draws did not pass") < text.index(made_up.TWICE)


def test_a_damaged_run_still_has_its_report(tree: xr.DataTree, tmp_path: Path) -> None:
    bare = xr.DataTree.from_dict({"posterior": tree["posterior"].to_dataset()})
    bare.attrs.update(tree.attrs)
    text = (written(bare, tmp_path) / "report.html").read_text(encoding="utf-8")
    assert "posterior.nc has no group “refined”" in text
    assert "it could not be made" not in text
    assert 'id="table-parameters"' in text


def test_a_run_that_failed_is_told_by_its_fit_file(tmp_path: Path) -> None:
    record = made_up.record() | {"status": "failed", "error": "no draw is possible"}
    (tmp_path / "run.json").write_text(json.dumps(record))
    run = read_run(tmp_path, anonymise=False)
    assert sections_of(run) == OF_FACTS
    text = write_report(tmp_path).read_text(encoding="utf-8")
    assert text.index("The run failed: no draw is possible") < text.index("Purpose")
    assert "it could not be made" not in text
    assert "Goodness of fit" not in text


def test_what_a_run_holds_chooses_its_chapters(
    folder: Path, small_tree: xr.DataTree, record: dict, run_folder: Callable[..., Path]
) -> None:
    assert sections_of(read_run(folder, anonymise=False)) == OF_FACTS
    patients = read_run(run_folder(small_tree, **record), anonymise=False)
    assert sections_of(patients) == OF_PATIENTS
