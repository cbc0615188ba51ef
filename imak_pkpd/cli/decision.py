"""What `imak dose` computes, writes and shows."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.table import Table

from imak_pkpd.choice import Boin12Block
from imak_pkpd.cli.bar import progress_bar
from imak_pkpd.cli.screen import console, table
from imak_pkpd.decide.boin12 import Scored, events, ranks
from imak_pkpd.decide.decision import DoseDecision
from imak_pkpd.decide.notice import NOTICE
from imak_pkpd.decide.of_run import Elsewhere, decide_elsewhere, decide_run
from imak_pkpd.decide.sensitivity import Otherwise
from imak_pkpd.decide.store import document_of, write_decision
from imak_pkpd.decide.words import boin12_sentence, design_words, sentence
from imak_pkpd.report.page import write_report

ELSEWHERE = ("in", "best would be", "utility", "ours", "ours is admissible")


def show_decision(run: Path, others: Sequence[Path], as_json: bool) -> None:
    """Files in RUN/dose, the run's report anew, and the answer on the screen."""
    with progress_bar(console(stderr=True)) as progress:
        decision = decide_run(run, progress.stage)
        elsewhere = decide_elsewhere(decision, others, progress.stage)
    written = write_decision(run, decision, elsewhere)
    write_report(run)
    if as_json:
        print(json.dumps(document_of(decision, elsewhere), indent=1))
        return
    screen = console()
    for each in tables(decision, elsewhere):
        screen.print(each)
    for said in filter(None, (sentence(decision), boin12_sentence(decision))):
        screen.print(said, soft_wrap=True)
    screen.print(f"{NOTICE} Written: {written}", soft_wrap=True)


def tables(decision: DoseDecision, elsewhere: Sequence[Elsewhere]) -> Iterator[Table]:
    """The designs; what other utilities, priors and models would have chosen."""
    yield designs(decision)
    changed = [*decision.utilities, *decision.priors]
    moved = [each for each in changed if each.best not in (None, decision.chosen)]
    if moved:
        headings = ("with", "best would be", "ours loses")
        yield table(headings, (other(decision, each) for each in moved))
    if elsewhere:
        yield table(ELSEWHERE, (model(each) for each in elsewhere))


def designs(decision: DoseDecision) -> Table:
    limits = [text for _, text in decision.block.limits()]
    names = list(decision.rows[0].means)
    headings = (
        *("", "design", *names, *limits),
        *("utility (5 – 95 % of draws)", "± MC", "P(best)", "loss"),
        *boin12_headings(decision.block.boin12),
        "",
    )
    ranked = ranks([row.boin12 for row in decision.rows])
    rows = (cells(decision, place, names, rank) for place, rank in enumerate(ranked))
    return table(headings, rows)


def boin12_headings(rules: Boin12Block | None) -> tuple[str, ...]:
    if rules is None:
        return ()
    return (*events(rules), "BOIN12 desirability")


def boin12_cells(found: Scored | None, rank: int | None) -> tuple[str, ...]:
    if found is None:
        return ()
    place = "not admissible" if rank is None else f"rank {rank}"
    desirable = f"{found.desirability:.2g} ({place})"
    return f"{found.toxic:.0%}", f"{found.futile:.0%}", desirable


def cells(
    decision: DoseDecision, place: int, names: Sequence[str], rank: int | None
) -> tuple[str, ...]:
    row = decision.rows[place]
    low, high = row.utility_interval
    limits = (f"{x.mean:.3g} (broken {x.broken:.0%})" for x in row.limits.values())
    remarks = [row.why_not, "extrapolated" if row.extrapolated else ""]
    return (
        mark(decision, place),
        design_words(row),
        *(f"{row.means[name]:.3g}" for name in names),
        *limits,
        f"{row.utility:.3g} ({low:.3g} – {high:.3g})",
        f"{row.utility_se:.1g}",
        f"{row.best:.0%}",
        f"{row.loss:.2g}",
        *boin12_cells(row.boin12, rank),
        "; ".join(each for each in remarks if each),
    )


def mark(decision: DoseDecision, place: int) -> str:
    """The chosen design, and those that are as good within the margin."""
    if place == decision.chosen:
        return "»"
    return "≈" if place in decision.as_good else ""


def other(decision: DoseDecision, each: Otherwise) -> tuple[str, ...]:
    assert each.best is not None
    return each.change, design_words(decision.rows[each.best]), f"{each.loss:.2g}"


def model(each: Elsewhere) -> tuple[str, ...]:
    best = "no design qualifies" if each.best is None else design_words(each.best)
    utility = "–" if each.best is None else f"{each.best.utility:.3g}"
    ours = "" if each.ours is None else f"{each.ours.utility:.3g}"
    fits = "–" if each.ours is None else each.ours.why_not or "yes"
    return each.problem, best, utility, ours, fits
