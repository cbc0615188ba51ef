"""What `imak trial` computes, writes and shows."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.table import Table

from imak_pkpd.cli.bar import progress_bar
from imak_pkpd.cli.screen import console, table
from imak_pkpd.decide.notice import NOTICE
from imak_pkpd.decide.trial.characteristics import Compared, Estimate, InArm, Spread
from imak_pkpd.decide.trial.document import document
from imak_pkpd.decide.trial.folder import write_trial
from imak_pkpd.decide.trial.of_run import TrialOfRun, trial_of_run
from imak_pkpd.decide.words import seen_words
from imak_pkpd.report.page import write_report
from imak_pkpd.report.trial_figure import trial_picture

ARMS = (
    *("endpoint", "arm", "truly (5 – 95 % of draws)"),
    *("reported (5 – 95 % of trials)", "left", "died", "unsolved", ""),
)
COMPARED = (
    *("endpoint", "arm", "against", "true difference (5 – 95 % of draws)", "P(better)"),
    *("P(success) ± MC", "SD over draws", "if better", "if not"),
)


def show_trial(run: Path, as_json: bool) -> bool:
    """Files in RUN/trial, the run's report anew, and the answer on the screen; whether
    it can be relied on."""
    with progress_bar(console(stderr=True)) as progress:
        made = trial_of_run(run, progress.stage)
    said = document(made)
    written = write_trial(made, said, trial_picture(said))
    write_report(run)
    if as_json:
        print(json.dumps({"folder": str(written), **said}, indent=1))
    else:
        show(made, said, written)
    return not made.unsolved


def show(made: TrialOfRun, said: Mapping[str, Any], written: Path) -> None:
    """The tables on the screen, what was assumed, and where the files are."""
    screen = console()
    for each in tables(made):
        screen.print(each)
    seen = seen_words(said["doses_seen"])
    for sentence in (*said["stated"], seen, *said["warnings"]):
        screen.print(sentence, soft_wrap=True)
    screen.print(f"{NOTICE} Written: {written}", soft_wrap=True)


def tables(made: TrialOfRun) -> Iterator[Table]:
    """Arms, comparisons, endpoints; then arms in all endpoints together."""
    shown = made.shown
    yield table(ARMS, (arm_cells(made, each) for each in shown.arms))
    yield table(COMPARED, map(compared_cells, shown.compared))
    headings = (
        "endpoint",
        "alpha",
        "P(success of the same again)",
        "P(picks the best)",
    )
    yield table(headings, endpoint_rows(made))
    if shown.together:
        pairs = ((arm, error(each)) for arm, each in shown.together.items())
        yield table(("arm", "P(success in all endpoints)"), pairs)


def arm_cells(made: TrialOfRun, each: InArm) -> tuple[str, ...]:
    return (
        each.endpoint,
        each.arm,
        spread(each.expected),
        spread(each.observed),
        f"{each.dropped:.1%}",
        f"{each.died:.1%}",
        f"{made.trials.unsolved[each.arm]:.2%}",
        "extrapolated" if made.extrapolated(each.arm) else "",
    )


def compared_cells(each: Compared) -> tuple[str, ...]:
    return (
        each.endpoint,
        each.arm,
        each.against if isinstance(each.against, str) else f"{each.against:g}",
        spread(each.difference),
        f"{each.p_better:.0%}",
        error(each.success),
        f"{each.power_sd:.2f}",
        error(each.if_better),
        error(each.if_not),
    )


def endpoint_rows(made: TrialOfRun) -> Iterator[tuple[str, ...]]:
    for each in made.shown.endpoints:
        alpha = f"{made.trials.block.endpoint[each.endpoint].alpha:g}"
        false = "–" if each.false_success is None else error(each.false_success)
        picks = "–" if each.picks_best is None else error(each.picks_best)
        yield each.endpoint, alpha, false, picks


def spread(each: Spread) -> str:
    return f"{each.mean:.3g} ({each.low:.3g} – {each.high:.3g})"


def error(each: Estimate) -> str:
    """With its Monte Carlo error; nothing where there is no draw."""
    return "–" if each.mean != each.mean else f"{each.mean:.3f} ± {each.se:.3f}"
