"""The page: every section made, the template filled, tables written as CSV.

`write_report` is the entry. A part of a section that fails is listed as "not run", with
the reason, and the rest of the page is made all the same: a fit that went wrong needs
its report most.
"""

import csv
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from imak_pkpd.fit.atomic import write_text
from imak_pkpd.report.blocks import Block, Made, Section, Table
from imak_pkpd.report.chapters import sections_of
from imak_pkpd.report.run import Run, read_run
from imak_pkpd.report.sections import front

TEMPLATES = Path(__file__).parent / "template"


def write_report(run_folder: Path, *, anonymise: bool = False) -> Path:
    """The path of the report of a run, written into its folder with its tables.

    `report.html` and `tables/*.csv`; with `anonymise`, patients are numbered and the
    names end in "-anonymised". Nothing that is missing or broken in the folder stops
    it. Raises ValueError when there is no such folder.
    """
    if not run_folder.is_dir():
        raise ValueError(
            f"{run_folder} is not a folder: give the run folder that a fit has printed"
        )
    run = read_run(run_folder, anonymise=anonymise)
    made = [make(section, run) for section in sections_of(run)]
    chapters = [front.chapter(run, made), *made]
    suffix = "-anonymised" if anonymise else ""
    write_tables(chapters, run_folder / f"tables{suffix}")
    page = run_folder / f"report{suffix}.html"
    write_text(page, render(run, chapters))
    return page


def make(section: Section, run: Run) -> Made:
    """A section with all its blocks; what could not be made is listed instead."""
    parts = [(part.title, part.made(run)) for part in section.parts]
    return Made(section.anchor, section.title, parts)


def render(run: Run, chapters: Sequence[Made]) -> str:
    """The page as HTML; all text is escaped by the template, figures are inserted."""
    return (
        _templates()
        .get_template("page.html")
        .render(
            title=run.labels.text(run.facts.problem) or "Report of a fit",
            style=style(),
            chapters=chapters,
            synthetic=run.synthetic,
            made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            version=version("imak-pkpd"),
        )
    )


def render_blocks(blocks: Iterable[Block]) -> str:
    """Some blocks as a piece of HTML, as safe as on the page; `style` belongs to it."""
    one_block = _templates().get_template("blocks.html").module.one_block  # type: ignore[attr-defined]
    inside = "".join(one_block(block) for block in blocks)
    return f'<div class="blocks">{inside}</div>'


def style() -> str:
    """The style sheet of page and blocks."""
    return (TEMPLATES / "style.css").read_text(encoding="utf-8")


def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def write_tables(chapters: Sequence[Made], folder: Path) -> None:
    """Every table of the page as a CSV file, numbers unrounded."""
    folder.mkdir(exist_ok=True)
    blocks = [block for made in chapters for _, part in made.parts for block in part]
    for table in blocks:
        match table:
            case Table(name=name, rows=rows):
                with (folder / f"{name}.csv").open("w", newline="") as file:
                    writer = csv.writer(file)
                    writer.writerow(table.columns)
                    writer.writerows(row.values() for row in rows)
