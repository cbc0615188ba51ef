"""What a running fit tells: `Progress` is what the sampler calls, `Silent` says nothing
and `LiveTable` draws one row per chain."""

from typing import NamedTuple, Protocol, runtime_checkable

from rich.console import Console
from rich.live import Live
from rich.table import Table


class ChainReport(NamedTuple):
    """One chain after a block; the means are over that block, `divergences` and
    `failed_solves` over the stage so far (warm-up has several)."""

    chain: int
    phase: str
    done: int
    total: int
    acceptance: float
    step_size: float
    leapfrogs: float
    divergences: int
    failed_solves: int


@runtime_checkable
class Progress(Protocol):
    """Called from the sampler's threads, one call at a time."""

    def stage(self, text: str) -> None:
        """A new stage begins: climbing to the mode, compiling, ..."""

    def chain(self, report: ChainReport) -> None:
        """A chain finished a block."""


class Silent:
    """Says nothing."""

    def stage(self, text: str) -> None:
        pass

    def chain(self, report: ChainReport) -> None:
        pass


class LiveTable:
    """A table on the terminal, one row per chain, redrawn after every block.

    A context manager: `with LiveTable(console) as progress: ...`.
    """

    def __init__(self, console: Console) -> None:
        self._reports: dict[int, ChainReport] = {}
        self._text = ""
        self._live = Live(console=console, refresh_per_second=4)

    def __enter__(self) -> "LiveTable":
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def stage(self, text: str) -> None:
        self._text = text
        self._live.update(self.table())

    def chain(self, report: ChainReport) -> None:
        self._reports[report.chain] = report
        self._live.update(self.table())

    def table(self) -> Table:
        """The table as it stands."""
        table = Table(title=self._text, title_justify="left", box=None)
        for name in _COLUMNS:
            table.add_column(name, justify="right")
        for _, report in sorted(self._reports.items()):
            table.add_row(*_cells(report))
        return table


_COLUMNS = (
    "chain",
    "phase",
    "draws",
    "",
    "acceptance",
    "step size",
    "leapfrogs",
    "divergences",
    "failed solves",
)
_BAR = 20  # characters of a chain's bar


def _cells(report: ChainReport) -> tuple[str, ...]:
    full = _BAR * report.done // report.total
    return (
        str(report.chain + 1),
        report.phase,
        f"{report.done}/{report.total}",
        "█" * full + "·" * (_BAR - full),
        f"{report.acceptance:.2f}",
        f"{report.step_size:.3g}",
        f"{report.leapfrogs:.0f}",
        str(report.divergences),
        str(report.failed_solves),
    )
