"""Front page: may this fit be used, for what, and what could not be checked."""

from collections.abc import Sequence
from pathlib import Path

from imak_pkpd.check.reweighting import facts_of
from imak_pkpd.check.weighting import weighting_of
from imak_pkpd.report.blocks import Block, Light, Made, NotRun, Part, Prose, Table
from imak_pkpd.report.run import Run
from imak_pkpd.report.sections.evidence import twice

CREDIBILITY = {
    "question": "Question of interest",
    "context": "Context of use",
    "influence": "Model influence",
    "consequence": "Consequence of a wrong decision",
}
"""The assessment table of ICH M15, by key of the fit file's [report] block."""

UNFINISHED = {
    "running": "The run has not finished: it was stopped, or is still going on.",
    "failed": "The run failed",
}


def chapter(run: Run, made: Sequence[Made]) -> Made:
    """The first chapter; `made` are the others, whose missing checks it lists."""
    missing = [(one, check) for one in made for check in one.not_run]
    return Made(
        "front",
        "Summary",
        (
            *((part.title, part.made(run)) for part in PARTS),
            ("Purpose", _purpose(run)),
            ("Not run", _not_run(missing)),
        ),
    )


def _verdict(run: Run) -> list[Block]:
    """The answer first: everything that forbids use, then what the draws say."""
    troubles = _troubles(run)
    blocks: list[Block] = [Prose(words, "fail") for words in troubles]
    if troubles:
        blocks.append(Prose("Do not use the numbers below for a decision."))
        return blocks
    if run.with_facts:
        blocks += twice(run)
    if run.diagnostics.passed:
        passed = Prose("The draws passed every check that is required.", "pass")
        return [passed, *blocks]
    return [
        Prose("The draws did not pass: see the checks below.", "fail"),
        Prose("Do not use the numbers below for a decision."),
        *blocks,
    ]


def _troubles(run: Run) -> list[str]:
    """What went wrong before any check, in words."""
    status = str(run.fact("status", default=""))
    said = []
    if status in UNFINISHED:
        error = run.labels.text(str(run.fact("error", default="")))
        said.append(UNFINISHED[status] + (f": {error}" if error else ""))
    return said + [run.labels.text(problem) for problem in run.problems]


def _glance(run: Run) -> list[Block]:
    """What was fitted to what, in a few numbers."""
    rows: list[dict[str, object]] = []

    def add(item: str, value: object) -> None:
        rows.append({"item": item, "value": value})

    if "observed_data" in run.tree.children:
        data = run.tree["observed_data"]
        add("patients", str(len(run.subjects)))
        add("samples", str(data.sizes.get("observation", 0)))
        add("outputs", ", ".join(output.name for output in run.outputs))
    elif run.weighted:
        add("patients", "none: virtual ones only")
    if run.with_facts:
        used = sum(fact["use"] for fact in facts_of(run.tree).values())
        add("published facts", f"{used} used")
    if run.weighted:
        add("draws", _weighted_draws(run))
    elif "posterior" in run.tree.children:
        size = run.tree["posterior"].sizes
        add("draws", f"{size.get('chain', 0)} chains of {size.get('draw', 0)}")
    for item, path in (("started (UTC)", "start"), ("ended (UTC)", "end")):
        if run.fact(path):
            add(item, str(run.fact(path)))
    for item in ("model", "data"):
        if run.fact(item, "path"):
            add(f"{item} file", run.labels.text(Path(run.fact(item, "path")).name))
    return [Table("glance", "The run.", rows)] if rows else []


def _weighted_draws(run: Run) -> str:
    """What takes the place of chains."""
    said = weighting_of(run.tree)
    prior, refined = (said.get(f"{kind}_draws", "–") for kind in ("prior", "refined"))
    return f"{prior} of the prior, {refined} refined and weighted"


def _checks(run: Run) -> list[Block]:
    """The traffic lights: one row per check of the draws."""
    found = run.diagnostics
    lights: list[Light] = ["pass" if f.passed else "fail" for f in found.findings]
    rows = [{"check": f.check, "result": f.message} for f in found.findings]
    lights += ["not run" for _ in found.not_run]
    rows += [{"check": m.check, "result": m.reason} for m in found.not_run]
    return [Table("summary", "Can the draws be used?", rows, lights)]


def _purpose(run: Run) -> list[Block]:
    """ICH M15's assessment, as far as the fit file states it."""
    said = run.facts.tables.get("report", {})
    rows = [
        {"item": title, "statement": run.labels.text(str(said.get(key, "not stated")))}
        for key, title in CREDIBILITY.items()
    ]
    if not any(key in said for key in CREDIBILITY):
        return [Prose("The fit file states no question and no context of use.")]
    return [Table("credibility", "Assessment after ICH M15.", rows)]


def _not_run(missing: Sequence[tuple[Made, NotRun]]) -> list[Block]:
    """The list of everything that this report lacks."""
    if not missing:
        return [Prose("Every part of this report could be made.")]
    rows = [
        {"chapter": made.title, "check": check.what, "reason": check.reason}
        for made, check in missing
    ]
    return [Table("not-run", "Checks and figures that could not be made.", rows)]


PARTS = (
    Part("Verdict", _verdict),
    Part("At a glance", _glance),
    Part("Checks", _checks),
)
"""What a run is judged by, before anything else."""
