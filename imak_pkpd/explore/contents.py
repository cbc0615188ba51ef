"""What is shown of a run, as blocks of the report: verdict, parameters, estimands."""

from collections.abc import Iterable, Iterator, Mapping

from imak_pkpd.check.parameter_table import shown_arrays
from imak_pkpd.check.posterior import Drawn
from imak_pkpd.decide.notice import NOTICE
from imak_pkpd.report.blocks import Block, NotRun, Part, Prose, Section
from imak_pkpd.report.chapters import sections_of
from imak_pkpd.report.page import make, render_blocks, style
from imak_pkpd.report.run import MissingError, Run
from imak_pkpd.report.sections import front
from imak_pkpd.report.sections.computation import trace_figure

SYNTHETIC = (
    "SYNTHETIC DATA: no patient was measured. Nothing here is evidence about patients."
)


def html(blocks: Iterable[Block]) -> str:
    """Blocks as HTML whose style reaches nothing else on the page; text is escaped."""
    return f'<div class="imak">{render_blocks(blocks)}</div>'


def style_sheet() -> str:
    """The report's style, for what `html` makes alone; no table is a file here."""
    return f"<style>.imak {{\n{style()}\n.file {{ display: none; }} }}</style>"


def summary(run: Run) -> Iterator[Block]:
    """What it is not for, then whether the draws may be used."""
    yield Prose(f"{NOTICE} {run.labels.text(run.facts.problem)}".strip())
    if run.synthetic:
        yield Prose(SYNTHETIC, "attention")
    yield from _made(Section("front", "Summary", front.PARTS), run)


def parameters(run: Run) -> Iterator[Block]:
    """The parameter table, and prior beside posterior."""
    yield from chapter(run, "parameters")
    if not run.weighted:  # whose parameter table has the prior's intervals
        yield from chapter(run, "sensitivity", "Overlay")


def estimands(run: Run) -> Iterator[Block]:
    """Over all patients, who stay unnamed; of facts: what the facts say of them."""
    if run.weighted and not run.with_patients:
        yield from chapter(run, "evidence")
    else:
        yield from chapter(run, "estimands", "All patients")


def chapter(run: Run, anchor: str, *titles: str) -> Iterator[Block]:
    """The blocks of a chapter of the report, or of some of its parts."""
    for section in sections_of(run):
        if section.anchor == anchor:
            parts = [p for p in section.parts if not titles or p.title in titles]
            yield from _made(Section(section.anchor, section.title, parts), run)
            return
    yield NotRun(anchor, "the report of this run has no such chapter")


def traced(run: Run) -> Mapping[str, Drawn]:
    """The parameters whose draws can be shown, by name; none without a posterior."""
    try:
        run.need("posterior")
    except MissingError:
        return {}
    return shown_arrays(run.tree)


def traces(run: Run, name: str | None) -> list[Block]:
    """Trace and ranks of one parameter; of weighted draws there is no trace."""
    part = Part("Trace", lambda run: [_trace(run, name)])
    return _made(Section("trace", "Trace", [part]), run)


def _made(section: Section, run: Run) -> list[Block]:
    """Its blocks one after the other; what cannot be made is said in its place."""
    return [block for _, blocks in make(section, run).parts for block in blocks]


def _trace(run: Run, name: str | None) -> Block:
    if run.weighted:
        raise MissingError("weighted draws have no order, and so no trace")
    if name is None:
        raise MissingError("the run has no posterior")
    return trace_figure(run, {name: traced(run)[name]}, name)
