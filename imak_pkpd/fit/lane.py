"""One lane of a fit: one chain (or one vectorised group of chains) through one stage.

`Lane.advance` continues from what is on disk, block by block, until the stage is done.
How many draws a block holds follows the clock; the draws do not depend on it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from imak_pkpd.fit.checkpoint import Checkpoint
from imak_pkpd.fit.nuts import BLOCK, Chain, Draw, Space
from imak_pkpd.fit.progress import ChainReport, Progress

_FIRST_BLOCK = 5  # draws of the first block, before the pace is known
_GROWTH = 4  # a block is at most so many times longer than the last
_FAILURES = 20  # places of failed solves kept per block and lane

Program = Callable[..., tuple[Chain, Draw]]


class Stage(NamedTuple):
    """`draws` draws with one metric, number `first` on of the `total` of their phase.

    `learn`: the metric is corrected by them.
    """

    name: str
    phase: str
    first: int
    draws: int
    total: int
    learn: bool

    @property
    def adapt(self) -> bool:
        """Whether the step size is still moving."""
        return self.phase == "warmup"


class Rows(NamedTuple):
    """Draws of a lane: `draws` by field of `nuts.Draw`, arrays (chain, draw, ...).

    `failures` are places where a solve failed, `cpu` the CPU seconds it all took.
    """

    draws: dict[str, np.ndarray]
    failures: Float[np.ndarray, "n d"]
    cpu: float


@dataclass(frozen=True)
class Lane:
    """`chains` are the numbers of its chains; `stacked`: one program runs them all."""

    number: int
    chains: Sequence[int]
    stacked: bool
    program: Program
    checkpoint: Checkpoint
    progress: Progress
    cpu_lap: Callable[[], float]
    block_s: float

    def advance(
        self,
        stage: Stage,
        chain: Chain,
        space: Space,
        args: tuple,
        stopped: Callable[[], bool],
    ) -> tuple[Chain, Rows]:
        """The chain after the stage and all its draws; fewer when `stopped` said so."""
        blocks, chain = self._stored(stage, chain)
        done = sum(map(_length, blocks))
        length = _FIRST_BLOCK
        while done < stage.draws and not stopped():
            length = min(length, stage.draws - done, BLOCK)
            begin = monotonic()
            chain, rows = self._block(stage, chain, space, args, length)
            pace = (monotonic() - begin) / length
            self._write(stage, done, chain, rows)
            blocks.append(rows)
            done += length
            self._report(stage, done, blocks)
            length = int(min(_GROWTH * length, max(1.0, self.block_s / pace)))
        return chain, joined(blocks)

    def _block(
        self, stage: Stage, chain: Chain, space: Space, args: tuple, length: int
    ) -> tuple[Chain, Rows]:
        ended, drawn = self.program(
            chain, space, args, np.int64(length), np.bool_(stage.adapt)
        )
        fields = {
            name: np.asarray(value) if self.stacked else np.asarray(value)[None]
            for name, value in drawn._asdict().items()
        }
        draws = {name: value[:, :length] for name, value in fields.items()}
        failures = draws.pop("failure")[draws["failed_solves"]][:_FAILURES]
        rows = Rows(draws, failures, self.cpu_lap())
        return jax.tree.map(np.asarray, ended), rows

    def _write(self, stage: Stage, first: int, chain: Chain, rows: Rows) -> None:
        leaves = jax.tree.leaves(chain)
        self.checkpoint.write(
            f"{self._prefix(stage)}{first:08d}",
            {"first": first, "cpu": rows.cpu},
            {f"draw_{name}": value for name, value in rows.draws.items()}
            | {f"state_{i}": leaf for i, leaf in enumerate(leaves)}
            | {"failures": rows.failures},
        )

    def _stored(self, stage: Stage, chain: Chain) -> tuple[list[Rows], Chain]:
        """Blocks of the stage that are on disk, and the chain after the last one."""
        leaves, structure = jax.tree.flatten(chain)
        blocks: list[Rows] = []
        for name in self.checkpoint.names(self._prefix(stage)):
            header, arrays = self.checkpoint.read(name) or ({}, {})
            if header["first"] != sum(map(_length, blocks)):
                raise ValueError(
                    f"{self.checkpoint.folder}: a block before {name}.npz is missing: "
                    "start a new run"
                )
            blocks.append(_rows(header, arrays))
            leaves = [arrays[f"state_{i}"] for i in range(len(leaves))]
        return blocks, jax.tree.unflatten(structure, leaves)

    def _prefix(self, stage: Stage) -> str:
        return f"{stage.name}-{self.number:02d}-"

    def _report(self, stage: Stage, done: int, blocks: Sequence[Rows]) -> None:
        last = blocks[-1].draws
        for i, number in enumerate(self.chains):
            self.progress.chain(
                ChainReport(
                    chain=number,
                    phase=stage.phase,
                    done=stage.first + done,
                    total=stage.total,
                    acceptance=float(last["acceptance_rate"][i].mean()),
                    step_size=float(last["step_size"][i, -1]),
                    leapfrogs=float(last["n_steps"][i].mean()),
                    divergences=_count(blocks, "diverging", i),
                    failed_solves=_count(blocks, "failed_solves", i),
                )
            )


def joined(blocks: Sequence[Rows], axis: int = 1) -> Rows:
    """Blocks in a row: along draws (axis 1), or lanes side by side (axis 0)."""
    return Rows(
        {
            name: np.concatenate([rows.draws[name] for rows in blocks], axis)
            for name in blocks[0].draws
        },
        np.concatenate([rows.failures for rows in blocks]),
        sum(rows.cpu for rows in blocks),
    )


def _rows(header: dict, arrays: dict[str, np.ndarray]) -> Rows:
    draws = {
        name.removeprefix("draw_"): value
        for name, value in arrays.items()
        if name.startswith("draw_")
    }
    return Rows(draws, arrays["failures"], header["cpu"])


def _length(rows: Rows) -> int:
    return rows.draws["lp"].shape[1]


def _count(blocks: Sequence[Rows], name: str, chain: int) -> int:
    return int(sum(rows.draws[name][chain].sum() for rows in blocks))
