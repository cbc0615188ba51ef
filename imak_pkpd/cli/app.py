"""`imak`: the verbs, and what becomes of an error.

Exit codes: 0 good, 1 error, 2 bad input, 3 finished but a diagnostic failed.
A verb imports what is heavy inside itself, so that `imak --help` is quick.
"""

import sys
from typing import NoReturn

import typer

from imak_pkpd.cli.check import check
from imak_pkpd.cli.dose import dose
from imak_pkpd.cli.explore import explore
from imak_pkpd.cli.failure import explain
from imak_pkpd.cli.fit import fit
from imak_pkpd.cli.forecast import forecast
from imak_pkpd.cli.init import init
from imak_pkpd.cli.report import report
from imak_pkpd.cli.resume import resume
from imak_pkpd.cli.runs import runs
from imak_pkpd.cli.sample_days import sample_days
from imak_pkpd.cli.simulate import simulate
from imak_pkpd.cli.trial import trial

app = typer.Typer(
    name="imak",
    help="From a patient file to a posterior, a run folder and a report.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # rich help costs 0.2 CPU-seconds of imports
    pretty_exceptions_enable=False,
)
VERBS = (
    *(init, check, fit, resume, report, explore, runs, simulate),
    *(dose, forecast, sample_days, trial),
)
for verb in VERBS:
    app.command()(verb)


def main() -> NoReturn:
    """Runs the command line and leaves with its exit code."""
    try:
        app()
    except Exception as error:  # the one place where every error ends
        sentence, code = explain(error)
        print(f"imak: {sentence}", file=sys.stderr)
        sys.exit(code)
    sys.exit(0)
