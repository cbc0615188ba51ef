"""The newest answers in a run folder to questions that were asked of the run."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from imak_pkpd.decide import sample_folder, store
from imak_pkpd.decide.notice import SYNTHETIC
from imak_pkpd.decide.trial import folder as trial_folder
from imak_pkpd.report.blocks import Block, NotRun, Prose, Table

Document = Mapping[str, Any]


def newest(run: Path, pattern: str) -> Document | None:
    """The JSON document that was written last; None where there is none."""
    found = sorted(run.glob(pattern), key=lambda path: path.stat().st_mtime_ns)
    return json.loads(found[-1].read_text(encoding="utf-8")) if found else None


def newest_decision(run: Path) -> Document | None:
    """That of `imak dose`."""
    return newest(run, store.ANSWERS)


def trial(run: Path) -> Iterator[Block]:
    """What the newest `imak trial` says of arms and comparisons."""
    said = newest(run, trial_folder.ANSWERS)
    if said is None:
        yield NotRun("Virtual trial", "none was simulated: `imak trial RUN`")
        return
    yield from _sentences(said, "stated", "warnings")
    yield from _table(said, "comparisons", "Comparisons of arms over trials.")
    yield from _table(said, "arms", "What arms truly do, and what trials report.")


def samples(run: Path) -> Iterator[Block]:
    """What the newest `imak sample-days` says of each sample."""
    said = newest(run, sample_folder.ANSWERS)
    if said is None:
        yield NotRun("Next sample", "it was not asked: `imak sample-days RUN`")
        return
    yield Prose(f"For {said['who']}.")
    yield from _sentences(said, "sentences")
    yield from _table(said, "reductions", f"{said['meaning']}.")
    yield from _table(said, "evsi", "What a sample gains in utility.")


def _sentences(said: Document, *keys: str) -> Iterator[Block]:
    yield from (Prose(text) for key in keys for text in said.get(key, ()))
    yield Prose(said["notice"])
    if said.get("population_is_synthetic"):
        yield Prose(SYNTHETIC, "attention")


def _table(said: Document, key: str, caption: str) -> Iterator[Block]:
    """Nothing where the answer has no such rows."""
    if said.get(key):
        yield Table(key, caption, said[key], folded=True)
