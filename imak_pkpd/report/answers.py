"""`answers_of`: what a finished run was asked, as its chapters tell it."""

import json
from typing import Any

from imak_pkpd.report.run import MissingError, Run


def answers_of(run: Run, pattern: str, missing: str) -> list[dict[str, Any]]:
    """The documents of a run that match a pattern, in the order of their folders."""
    found = sorted(run.folder.glob(pattern))
    if not found:
        raise MissingError(missing)
    return [json.loads(path.read_text(encoding="utf-8")) for path in found]
