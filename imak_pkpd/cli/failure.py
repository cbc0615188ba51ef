"""What a user reads when something went wrong: one sentence, never a traceback."""

import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

BAD_INPUT = 2
ERROR = 1
DIAGNOSTIC = 3


def explain(error: Exception) -> tuple[str, int]:
    """The sentence for the screen and the exit code.

    A `ValueError` of ours is a message for the user. Anything else is unexpected: its
    traceback goes to a file, which the sentence names.
    """
    if isinstance(error, ValueError) and raised_by_us(error):
        return str(error), BAD_INPUT
    first = str(error).partition("\n")[0]
    where = keep_traceback(error)
    return f"{type(error).__name__}: {first} (traceback in {where})", ERROR


@contextmanager
def resumable() -> Iterator[None]:
    """Says how to go on when the user interrupts what is inside."""
    try:
        yield
    except KeyboardInterrupt:
        sentence = (
            "interrupted: find the run by `imak runs`, finish it by `imak resume`"
        )
        print(f"imak: {sentence}", file=sys.stderr)
        raise typer.Exit(ERROR) from None


@contextmanager
def reported(folder: Path) -> Iterator[None]:
    """Writes the report of a run that fails inside; the failure goes on.

    A report that fails too is named and no more: the first error is the one to read.
    """
    try:
        yield
    except Exception:
        from imak_pkpd.report.page import write_report

        try:
            sentence = f"report: {write_report(folder)}"
        except Exception as error:
            sentence = f"there is no report: {error}"
        print(f"imak: {sentence}", file=sys.stderr)
        raise


def raised_by_us(error: Exception) -> bool:
    """Whether the innermost frame is in this package, not deep in another."""
    frames = list(traceback.walk_tb(error.__traceback__))
    return bool(frames) and frames[-1][0].f_globals.get("__name__", "").startswith(
        "imak_pkpd"
    )


def keep_traceback(error: Exception) -> str:
    """The path of a new file that holds the traceback."""
    with tempfile.NamedTemporaryFile(
        "w", prefix="imak-", suffix=".txt", delete=False
    ) as file:
        file.writelines(traceback.format_exception(error))
    return file.name
