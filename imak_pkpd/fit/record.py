"""`run.json`: what is recorded of a run. `RunRecord` is its schema, field by field.

Times are ISO 8601 in UTC; paths are absolute; hashes are SHA-256.
"""

import getpass
import platform
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from imak_pkpd.fit.provenance import git, hash_file, hash_text, machine

_closed = ConfigDict(frozen=True, extra="forbid")


class FitSource(BaseModel):
    """The fit file as it was read, before overrides."""

    model_config = _closed
    path: str
    text: str
    sha256: str


class ModelSource(BaseModel):
    """The model file that was executed."""

    model_config = _closed
    path: str
    source: str
    sha256: str


class DataSource(BaseModel):
    """The patient file: `exclusions` are rows left out with the reason, `findings`
    what the reader warned of."""

    model_config = _closed
    path: str
    sha256: str
    rows: int
    subjects: int
    exclusions: tuple[dict[str, Any], ...] = ()
    findings: tuple[dict[str, Any], ...] = ()


class Result(BaseModel):
    """The figures of a finished fit; None is "not computed".

    `cpu_s` and `leapfrogs` (gradient evaluations) are by phase; `elpd` is the expected
    log predictive density by patient with its standard error.
    """

    model_config = _closed
    passed: bool
    verdict: str
    rhat_max: float | None = None
    ess_bulk_min: float | None = None
    ess_tail_min: float | None = None
    divergences: int | None = None
    treedepth_hits: int | None = None
    ebfmi_min: float | None = None
    failed_solves: int | None = None
    solver_error: float | None = None
    solver_khat: float | None = None
    elpd: float | None = None
    elpd_se: float | None = None
    k_above_07: int | None = None
    draws_sha256: str | None = None
    cpu_s: dict[str, float] = Field(default_factory=dict)
    leapfrogs: dict[str, int] = Field(default_factory=dict)


class RunRecord(BaseModel):
    """All that is recorded of a run.

    `status` is "running" until the end, so also after a kill; `overrides` are settings
    of the command line that replaced the fit file's; `choices` are made at the start
    and obeyed on resume (parametrisation, mesh); `command` is what was typed.
    """

    model_config = _closed
    schema_version: Literal[1] = 1
    run: str
    status: Literal["running", "finished", "failed"] = "running"
    error: str = ""
    based_on: str | None = None
    tags: tuple[str, ...] = ()
    notes: str = ""
    who: str
    host: str
    start: str
    end: str | None = None
    command: tuple[str, ...] = ()
    fit: FitSource
    model: ModelSource
    data: DataSource | None = None
    overrides: dict[str, Any] = Field(default_factory=dict)
    choices: dict[str, Any] = Field(default_factory=dict)
    seed: int
    estimation: dict[str, Any]
    solver: dict[str, Any] = Field(default_factory=dict)
    git: dict[str, Any]
    machine: dict[str, Any]
    result: Result | None = None


def new_record(
    fit: Path,
    model: Path,
    data: DataSource | None,
    estimation: dict[str, Any],
    **known: Any,
) -> RunRecord:
    """The record of a run that starts now.

    `known` are further fields of `RunRecord`: command, overrides, solver, based_on,
    tags, notes, choices.
    """
    text, source = fit.read_text(encoding="utf-8"), model.read_text(encoding="utf-8")
    fit, model, start = fit.resolve(), model.resolve(), now()
    return RunRecord(
        run=_identifier(start, text, source, data, known),
        who=_user(),
        host=platform.node(),
        start=start,
        fit=FitSource(path=str(fit), text=text, sha256=hash_file(fit)),
        model=ModelSource(path=str(model), source=source, sha256=hash_file(model)),
        data=data,
        seed=estimation["seed"],
        estimation=estimation,
        git=git(fit.parent),
        machine=machine(),
        **known,
    )


def now() -> str:
    """This moment, to the second, in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _identifier(start: str, *parts: object) -> str:
    """`<time>-<hash>`: the hash of content and clock tells runs of one second apart."""
    moment = datetime.fromisoformat(start).strftime("%Y%m%dT%H%M%S")
    content = repr((*parts, time.time_ns()))  # a fit may run twice in a second
    return f"{moment}-{hash_text(content)[:8]}"  # 32 bits: runs of one second


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without a user entry
        return "unknown"
