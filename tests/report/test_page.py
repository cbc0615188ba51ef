"""The whole page: complete, self-contained, escaped, anonymous on request."""

import csv
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from imak_pkpd.report import write_report

VOID = {"meta", "link", "br", "img", "hr", "input"}
FIGURES = {
    "profiles-1",
    "prior-predictive-1",
    "traces",
    "dv-predictions-1",
    "residuals-1",
    "normal-quantiles-1",
    "vpc-1-1",
    "vpc-1-2",  # two dose groups
    "pcvpc-1",
    "random-effects-spread",
    "covariate-1",
    "covariate-2",
    "random-effects-pairs",
    "prior-posterior",
    *(f"patient-{k}" for k in range(1, 13)),
}


class Page(HTMLParser):
    """What a browser would load, find by id, run and show."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.handlers: list[str] = []
        self.figures: dict[str, int] = {}
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        self.ids += [str(value) for key, value in attrs if key == "id"]
        for key, value in attrs:
            if key in ("src", "href", "xlink:href", "data", "action", "poster"):
                self.references.append(str(value))
            if key.startswith("on"):
                self.handlers.append(key)
        if tag == "figure":
            self.figures[str(given["id"])] = 0
        if tag in ("path", "use") and "figure" in self.open:
            self.figures[list(self.figures)[-1]] += 1
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)


@pytest.fixture(scope="module")
def report(
    small_tree: xr.DataTree,
    record: dict[str, object],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    folder = tmp_path_factory.mktemp("run")
    small_tree.to_netcdf(folder / "posterior.nc", engine="h5netcdf")
    (folder / "run.json").write_text(json.dumps(record))
    return write_report(folder)


@pytest.fixture(scope="module")
def page(report: Path) -> Page:
    return Page(report.read_text(encoding="utf-8"))


def test_nothing_is_loaded_from_outside_and_nothing_runs(
    report: Path, page: Page
) -> None:
    outside = [r for r in page.references if not r.startswith(("#", "data:,"))]
    assert outside == []
    assert "script" not in page.tags
    assert page.handlers == []
    text = report.read_text(encoding="utf-8")
    assert re.findall(r"@import|url\((?!#)", text) == []
    assert "http://" not in text
    assert "https://" not in text


def test_the_markup_is_closed_and_ids_are_unique(page: Page) -> None:
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    inside = {r[1:] for r in page.references if r.startswith("#")}
    assert inside <= set(page.ids)


def test_every_figure_is_there_and_drawn(page: Page) -> None:
    assert set(page.figures) == FIGURES
    assert min(page.figures.values()) > 5  # axes, ticks and at least one curve


def test_every_figure_and_reference_inside_it_resolves(report: Path) -> None:
    text = report.read_text(encoding="utf-8")
    ids = set(re.findall(r'\bid="([^"]+)"', text))
    assert set(re.findall(r"url\(#([^)]+)\)", text)) <= ids
    drawings = re.findall(r"<svg[^>]*>", text)
    labels = re.findall(r'<svg[^>]*role="img" aria-labelledby="([^"]+)"', text)
    assert len(drawings) == len(labels) == len(FIGURES)
    assert set(labels) <= ids


def test_chapters_come_in_the_order_of_a_review(page: Page) -> None:
    order = ["front", "data", "model", "computation", "parameters", "goodness"]
    order += ["vpc", "individuals", "random-effects", "sensitivity", "estimands"]
    order += ["provenance"]
    assert [one for one in page.ids if one in order] == order
    assert "Research use, not a medical device." in " ".join(page.words)


def test_identifiers_are_text_and_nothing_else(
    report: Path, page: Page, attack: str
) -> None:
    text = report.read_text(encoding="utf-8")
    assert attack not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "a&amp;b" in text
    assert f"Patient {attack}" in [words.strip() for words in page.words]


def test_tables_are_files_with_unrounded_numbers(
    report: Path, small_tree: xr.DataTree
) -> None:
    with (report.parent / "tables" / "parameters.csv").open() as file:
        rows = {row["parameter"]: row for row in csv.DictReader(file)}
    drawn = small_tree["posterior/V_pop"].values
    assert float(rows["V_pop"]["median"]) == np.median(drawn)
    assert float(rows["V_pop"]["97.5 %"]) == np.quantile(drawn, 0.975)
    assert rows["V_pop"]["unit"] == "L"
    assert rows["V_pop"]["prior"] == "log-normal, median 30, GSD 2"
    omega = np.median(small_tree["posterior/omega_CL"].values)
    truth = 100 * np.sqrt(np.exp(omega**2) - 1)
    assert float(rows["omega_CL"]["%CV"]) == pytest.approx(truth, rel=1e-12)
    assert rows["concentration_additive"]["unit"] == "mg/L"
    assert len(list((report.parent / "tables").glob("*.csv"))) >= 15


def test_units_and_sources_are_printed(page: Page) -> None:
    words = " ".join(page.words)
    for said in ("time (h)", "concentration (mg/L)", "Teorell 1937", "a wide guess"):
        assert said in words


def test_the_same_run_gives_the_same_figures(report: Path, tmp_path: Path) -> None:
    for name in ("posterior.nc", "run.json"):
        (tmp_path / name).write_bytes((report.parent / name).read_bytes())
    again = write_report(tmp_path).read_text(encoding="utf-8")
    first = report.read_text(encoding="utf-8")
    drop = re.compile(r"<footer>.*?</footer>", re.DOTALL)  # it has the time of writing
    assert drop.sub("", again) == drop.sub("", first)


def test_anonymised_no_identifier_is_left(
    run_folder: Callable[..., Path], record: dict, attack: str
) -> None:
    finding = {
        "rule": "DV-NUM",
        "severity": "warning",
        "line": 6,
        "subject": "a&b",
        "column": "DV",
        "message": "subject 7 and $x_5$ were looked at",
        "hint": "",
    }
    data = {**record["data"], "findings": [finding]}
    folder = run_folder(**{**record, "data": data, "notes": "a&b had a fever"})
    path = write_report(folder, anonymise=True)
    assert path.name == "report-anonymised.html"
    tables = (folder / "tables-anonymised").glob("*.csv")
    page = Page(path.read_text(encoding="utf-8"))
    everything = " ".join(page.words) + " ".join(t.read_text() for t in tables)
    for identifier in ("a&b", attack, "$x_5$", "=SUM(A1)", "subject 7"):
        assert identifier not in everything
    assert "Patient P04" in everything
    assert "subject P07 and P05 were looked at" in everything
    assert "P03 had a fever" in everything


def test_synthetic_data_are_marked_on_every_figure(
    run_folder: Callable[..., Path], small_tree: xr.DataTree, record: dict
) -> None:
    tree = small_tree.copy()
    tree.attrs["synthetic"] = "true"
    text = write_report(run_folder(tree, **record)).read_text(encoding="utf-8")
    drawings = re.findall(r"<figure.*?</figure>", text, re.DOTALL)
    assert len(drawings) == len(FIGURES)
    for drawing in drawings:
        assert "SYNTHETIC DATA" in drawing.split("<figcaption>")[0]
        assert "Synthetic data" in drawing.split("<figcaption>")[1]
