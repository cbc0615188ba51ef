"""What assays would report of simulated patients on candidate days.

`Assays` are the [output] blocks that say how well an output is measured, those of the
fit or of a file of their own, with the limit below which an assay gives no number.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpyro.handlers import seed, substitute
from pydantic import BaseModel, ConfigDict, ValidationError

from imak_pkpd.data.schedule import Schedule
from imak_pkpd.fit.curves import observed_at
from imak_pkpd.fit.grammar import FitError, read_source
from imak_pkpd.fit.problem import Problem
from imak_pkpd.fit.sentence import sentences
from imak_pkpd.fit.sites import sample_sigmas
from imak_pkpd.fit.spec import FitSpec
from imak_pkpd.model import AnyModel
from imak_pkpd.observe import OutputBlock, families, in_every_row
from imak_pkpd.observe.likelihood import LEFT, RIGHT
from imak_pkpd.population.refusal import hint

Rows = Float[Array, "subject row"]
Days = tuple[float, ...]
Limits = Mapping[str, tuple[float, float]]


class Assays(NamedTuple):
    """The fit with the assays for its [output], on which `days` (TIME) they are drawn,
    and the lowest and highest number that each reports."""

    spec: FitSpec
    days: Days
    limits: Limits

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.spec.output)

    def rows(self, schedule: Schedule) -> Schedule:
        """The schedule with every assay on every day for its observations.

        A sample at the time of a dose is taken right after it.
        """
        clock = np.tile(self.days, (schedule.subjects, len(self.names)))
        place = np.repeat(np.arange(len(self.names)), len(self.days))
        output = np.tile(place, (schedule.subjects, 1))
        there = observed_at(schedule, clock)
        dtype = there.observations.output.dtype
        return eqx.tree_at(lambda s: s.observations.output, there, output.astype(dtype))

    def reported(
        self,
        sites: Mapping[str, Array],
        rows: Schedule,
        outputs: Mapping[str, Rows],
        key: Array,
    ) -> dict[str, Float[Array, "subject day"]]:
        """What is reported of each row at one draw: one at a limit is not measured.

        `outputs` are the model's in all rows. A number of an assay that is not among
        the sites is drawn from its prior.
        """
        numbers, noise = jax.random.split(key)
        drawn = seed(substitute(sample_sigmas, dict(sites)), numbers)(self.spec, rows)
        found = families(self.spec.output, rows, outputs, drawn)
        value = in_every_row(found, lambda family: family.sample(noise))
        parts = jnp.split(value, len(self.names), axis=1)
        return {
            name: jnp.clip(
                part,
                drawn[name].get("limit", self.limits[name][0]),
                self.limits[name][1],
            )
            for name, part in zip(self.names, parts, strict=True)
        }


class _AssayFile(BaseModel):
    """A file of [output] blocks alone."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    output: dict[str, OutputBlock]


def read_assays(path: Path) -> dict[str, OutputBlock]:
    """The [output] blocks of a TOML file; `FitError` says what is wrong with it."""
    if not path.is_file():
        raise ValueError(f"{path} is not a file: give one with [output] blocks")
    source = read_source(path)
    try:
        return _AssayFile.model_validate(dict(source.tree)).output
    except ValidationError as error:
        raise FitError(sentences(error, source, _AssayFile)) from None


def assayed(
    spec: FitSpec,
    model: type[AnyModel],
    file: Path | None,
    asked: Sequence[str],
    days: Days,
    fitted: Problem | None,
) -> Assays:
    """The assays that are asked for (all, if none is named).

    Their limits are those of their blocks or, where `fitted` patients have an assay's
    result below a limit, the middle one of these limits. Raises a `ValueError` for one
    that the model or the fit does not have, and where nothing says how well an output
    is measured.
    """
    blocks = dict(spec.output) if file is None else read_assays(file)
    _refuse(spec, model, blocks, file)
    known = [name for name, block in blocks.items() if not block.timed]
    for name in asked:
        if name not in known:
            raise ValueError(
                f"got --output {name}, which no assay measures{hint(name, known)}: "
                f"write one of {', '.join(known)}"
            )
    names = tuple(asked) or tuple(known)
    own = spec.model_copy(update={"output": {name: blocks[name] for name in names}})
    limits = {n: _limits(n, blocks[n], list(spec.output), fitted) for n in names}
    return Assays(own, days, limits)


def _refuse(
    spec: FitSpec,
    model: type[AnyModel],
    blocks: Mapping[str, OutputBlock],
    file: Path | None,
) -> None:
    """Refuses blocks that say nothing of a sample of this model."""
    if all(block.timed for block in blocks.values()):
        where = spec.path.name if file is None else file.name
        raise ValueError(
            f"{where} does not say how well any output is measured: give --assays FILE "
            "with [output.NAME] blocks as in a fit (unit, error, sigma)"
        )
    for name, block in blocks.items():
        for read in block.reads(name):
            if read not in model.outputs:
                raise ValueError(
                    f"got an assay of {read}, but the model has no such output"
                    f"{hint(read, list(model.outputs))}: it has "
                    f"{', '.join(model.outputs)}"
                )
        unit = model.outputs.get(name, block.unit)
        if unit != block.unit:
            raise ValueError(
                f"got the assay {name} in '{block.unit}', but the model's output is in "
                f"'{unit}': write that unit"
            )


def _limits(
    name: str, block: OutputBlock, measured: list[str], fitted: Problem | None
) -> tuple[float, float]:
    """The block's own, or those that were met in data; none is infinite."""
    low = _met(name, LEFT, measured, fitted) if block.lloq is None else block.lloq
    high = _met(name, RIGHT, measured, fitted) if block.uloq is None else block.uloq
    return (-np.inf if low is None else low), (np.inf if high is None else high)


def _met(
    name: str, code: int, measured: list[str], fitted: Problem | None
) -> float | None:
    """The median limit of the censored rows of an output in the fit's data."""
    if fitted is None or name not in measured:
        return None
    seen = fitted.schedule.observations
    there = seen.mask & (seen.censor == code) & (seen.output == measured.index(name))
    return float(np.median(seen.value[there])) if there.any() else None
