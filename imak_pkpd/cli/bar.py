"""The progress of a fit: a live table on a terminal, else a line now and then."""

import time
from contextlib import AbstractContextManager, nullcontext

from rich.console import Console

from imak_pkpd.fit.progress import ChainReport, LiveTable, Progress

EVERY = 15.0  # seconds between two lines: a log of an hour stays readable


def progress_bar(console: Console) -> AbstractContextManager[Progress]:
    """What `fit` reports to, for this console."""
    return LiveTable(console) if console.is_terminal else nullcontext(Lines(console))


class Lines:
    """One line per stage, and one on all chains every `EVERY` seconds."""

    def __init__(self, console: Console, every: float = EVERY) -> None:
        self._console = console
        self._every = every
        self._chains: dict[int, ChainReport] = {}
        self._last = 0.0
        self._stage = ""

    def stage(self, text: str) -> None:
        if text != self._stage:  # warm-up has several windows of one name
            self._print(text)
        self._stage = text

    def chain(self, report: ChainReport) -> None:
        self._chains[report.chain] = report
        now = time.monotonic()
        if now - self._last >= self._every:
            self._last = now
            self._print(summary(self._chains))

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


def summary(chains: dict[int, ChainReport]) -> str:
    """All chains in one line: draws, acceptance, step size, leapfrogs, divergences."""
    reports = [report for _, report in sorted(chains.items())]

    def each(pattern: str, field: str) -> str:
        return " ".join(pattern.format(getattr(r, field)) for r in reports)

    return (
        f"{reports[0].phase}: {each('{}', 'done')} of {reports[0].total} draws"
        f" | acceptance {each('{:.2f}', 'acceptance')}"
        f" | step size {each('{:.2g}', 'step_size')}"
        f" | leapfrogs {each('{:.0f}', 'leapfrogs')}"
        f" | divergences {each('{}', 'divergences')}"
    )
