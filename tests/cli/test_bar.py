"""What a fit prints where nobody watches a terminal."""

import io

import pytest
from rich.console import Console

from imak_pkpd.cli.bar import Lines, progress_bar, summary
from imak_pkpd.fit.progress import ChainReport, LiveTable


def report(chain: int, done: int = 50) -> ChainReport:
    return ChainReport(
        chain=chain,
        phase="warmup",
        done=done,
        total=200,
        acceptance=0.81,
        step_size=0.25,
        leapfrogs=7.0,
        divergences=chain,
        failed_solves=0,
    )


def console() -> Console:
    return Console(file=io.StringIO(), force_terminal=False)


def printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_all_chains_stand_in_one_line() -> None:
    line = summary({1: report(1, done=60), 0: report(0)})
    assert line == (
        "warmup: 50 60 of 200 draws | acceptance 0.81 0.81 | step size 0.25 0.25"
        " | leapfrogs 7 7 | divergences 0 1"
    )


def test_a_line_now_and_then_without_control_characters() -> None:
    screen = console()
    with progress_bar(screen) as progress:
        progress.stage("warm-up")
        progress.stage("warm-up")
        for done in range(1, 100):
            progress.chain(report(0, done))
    lines = printed(screen).splitlines()
    assert len(lines) == 2  # the stage once, the first report; 15 s did not pass
    assert all(line.isprintable() for line in lines)


def test_every_report_is_printed_when_none_is_too_early() -> None:
    screen = console()
    lines = Lines(screen, every=0.0)
    for done in (10, 20, 30):
        lines.chain(report(0, done))
    assert len(printed(screen).splitlines()) == 3


@pytest.mark.parametrize(("terminal", "kind"), [(True, LiveTable), (False, Lines)])
def test_the_bar_lives_only_on_a_terminal(terminal: bool, kind: type) -> None:
    screen = Console(file=io.StringIO(), force_terminal=terminal)
    with progress_bar(screen) as progress:
        assert type(progress) is kind
