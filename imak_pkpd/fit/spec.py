"""`FitSpec`: all that a run needs, as the fit file says it. Opening it runs nothing.

Each block is declared beside the code that obeys it; this file only composes them.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError

from imak_pkpd.choice import DecisionBlock, TrialBlock
from imak_pkpd.data.block import DataBlock
from imak_pkpd.estimand import EstimandBlock
from imak_pkpd.evidence import (
    CohortBlock,
    EvidenceBlock,
    ScenarioBlock,
    StudyBlock,
    double_use,
)
from imak_pkpd.fit.estimation import EstimationBlock
from imak_pkpd.fit.grammar import FitError, Source, read_source
from imak_pkpd.fit.sentence import sentences
from imak_pkpd.observe.block import OutputBlock
from imak_pkpd.population.covariate import CovariateBlock
from imak_pkpd.population.omega import OmegaBlock
from imak_pkpd.population.prior import AbstractPrior, ThetaBlock
from imak_pkpd.solve.block import SolverBlock

_NOT_FITTED = {"path", "based_on", "decision", "trial"}

BARE = re.compile(r"[A-Za-z0-9_-]+")
"""A key that TOML takes without quotes."""


class FitSpec(BaseModel):
    """A fit file: `data.file` is relative to its folder, `model` is resolved.

    Two specs are equal, and have one hash, when they fit the same: where the file
    lies, how it is split over `based_on`, its [decision] and its [trial] do not count.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path
    problem: str
    based_on: str | None = None
    model: Path
    data: DataBlock | None = None
    output: dict[str, OutputBlock] = {}
    theta: dict[str, ThetaBlock] = {}
    omega: OmegaBlock = OmegaBlock.model_validate({})
    covariate: dict[str, dict[str, CovariateBlock]] = {}
    cohort: dict[str, CohortBlock] = {}
    study: dict[str, StudyBlock] = {}
    evidence: dict[str, EvidenceBlock] = {}
    scenario: dict[str, ScenarioBlock] = {}
    estimand: dict[str, EstimandBlock] = {}
    decision: DecisionBlock | None = None
    trial: TrialBlock | None = None
    solver: SolverBlock = SolverBlock.model_validate({})
    estimation: EstimationBlock = EstimationBlock()
    _source: Source = PrivateAttr(default_factory=Source)

    @property
    def source(self) -> Source:
        """The files as read, with the line that set each key."""
        return self._source

    @property
    def folder(self) -> Path:
        """The folder to which file names in the fit file are relative."""
        return self.path.parent

    @property
    def extra_columns(self) -> tuple[str, ...]:
        """The columns that `{ column }` reads, in the order of the file."""
        priors = (
            *self.theta.values(),
            *self.omega.deviations.values(),
            *(each for out in self.output.values() for each in out.numbers.values()),
        )
        read: list[AbstractPrior] = [each for each in priors if each.column is not None]
        return tuple(dict.fromkeys(str(each.column) for each in read))

    @property
    def hazards(self) -> tuple[str, ...]:
        """The outputs that are hazards of an event."""
        return tuple(name for name, block in self.output.items() if block.timed)

    @property
    def double_use(self) -> tuple[str, ...]:
        """Warnings about published patients who would count twice."""
        return double_use(self.evidence, self.study)

    def canonical(self) -> dict[str, Any]:
        """What the spec says, as JSON values; the model relative to the fit file."""
        said = self.model_dump(mode="json", exclude=_NOT_FITTED)
        said["model"] = Path(os.path.relpath(self.model, self.folder)).as_posix()
        return said

    @property
    def sha256(self) -> str:
        """The hash of `canonical`, in hexadecimal."""
        text = json.dumps(self.canonical(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def __hash__(self) -> int:
        return hash(self.sha256)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FitSpec) and self.sha256 == other.sha256

    def __str__(self) -> str:
        said = self.model_dump(mode="json", exclude_defaults=True, exclude=_NOT_FITTED)
        said["model"] = self.canonical()["model"]
        said["solver"] = self.solver.model_dump(mode="json")
        said["estimation"] = self.estimation.model_dump(mode="json")
        origin = f" (based on {self.based_on})" if self.based_on else ""
        return "\n".join((f"# {self.path.name}{origin}", *_toml(said)))


def read_fit(path: str | Path) -> FitSpec:
    """The fit file with the files it is based on; `FitError` says what is wrong."""
    source = read_source(Path(path))
    own = source.files[0].path
    said = {**source.tree, "path": own}
    _refuse_reserved(source)
    if isinstance(said.get("model"), str):
        said["model"] = (own.parent / said["model"]).resolve()
    try:
        spec = FitSpec.model_validate(said)
    except ValidationError as error:
        raise FitError(sentences(error, source, FitSpec)) from None
    spec._source = source
    return spec


def _refuse_reserved(source: Source) -> None:
    if "path" in source.tree:
        raise FitError([source.sentence(("path",), "unknown key 'path'")])


def _toml(tables: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """Lines of TOML: single values first, then tables, one line per inner table."""
    for key, value in tables.items():
        if above or not isinstance(value, Mapping):
            yield f"{key} = {_value(value)}"
    if above:
        return
    for key, value in tables.items():
        if key in ("output", "covariate", "cohort", "scenario"):
            for name, inner in value.items():
                yield from ("", f"[{key}.{_key(name)}]", *_toml(inner, name))
        elif isinstance(value, Mapping):
            yield from ("", f"[{key}]", *_toml(value, key))


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        pairs = (f"{_key(key)} = {_value(each)}" for key, each in value.items())
        return f"{{ {', '.join(pairs)} }}"
    if isinstance(value, list):
        return f"[{', '.join(_value(each) for each in value)}]"
    return json.dumps(value, ensure_ascii=False)


def _key(name: str) -> str:
    return name if BARE.fullmatch(name) else json.dumps(name, ensure_ascii=False)
