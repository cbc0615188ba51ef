"""`sample`: draws of the posterior by NUTS, resumable at any moment.

From the start of the chains (`start`) through the stages (`stages`), all of it kept in
a checkpoint, so that a killed fit continues bit for bit.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from os import cpu_count
from pathlib import Path
from time import process_time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from imak_pkpd.fit.checkpoint import Checkpoint, open_checkpoint
from imak_pkpd.fit.estimation import EstimationBlock
from imak_pkpd.fit.lane import Lane, Program, Rows, joined
from imak_pkpd.fit.mode import HELD, Explain, unexplained
from imak_pkpd.fit.nuts import (
    Chain,
    Point,
    Space,
    block_program,
    start_chain,
)
from imak_pkpd.fit.progress import Progress, Silent
from imak_pkpd.fit.provenance import hash_arrays, machine
from imak_pkpd.fit.stages import run_stages
from imak_pkpd.fit.start import Start, make_start, start_arrays, start_from
from imak_pkpd.fit.target import PROGRAMS, Target, require_float64

_FIRST_STEP = 0.5  # in coordinates of unit width; dual averaging takes it from there


@dataclass(frozen=True)
class Draws:
    """What sampling gives.

    `positions` are the kept draws, unconstrained; `statistics` and `warmup` hold, for
    kept and warm-up draws, arrays (chain, draw) named as in the `sample_stats` group.
    `failures` are some positions where a solve failed after warm-up; `cpu_s` CPU
    seconds and `leapfrogs` gradient evaluations by phase (a metric from gradients takes
    one more for each warm-up draw).
    """

    positions: Float[np.ndarray, "chain draw d"]
    statistics: Mapping[str, np.ndarray]
    warmup: Mapping[str, np.ndarray]
    failures: Float[np.ndarray, "n d"]
    start: Start
    cpu_s: Mapping[str, float]
    leapfrogs: Mapping[str, int]

    @property
    def sha256(self) -> str:
        """The fingerprint of the kept draws: equal means equal to the last bit."""
        return sha256(np.ascontiguousarray(self.positions).tobytes()).hexdigest()


def sample(
    target: Target,
    args: tuple,
    estimation: EstimationBlock,
    folder: Path,
    problem: Mapping[str, Any],
    progress: Progress | None = None,
    *,
    start: Start | None = None,
    cores: int | None = None,
    held: tuple[str, ...] = HELD,
    explain: Explain = unexplained,
    force: bool = False,
    block_s: float = 2.0,
) -> Draws:
    """Draws of the posterior of `target` with the arguments `args`.

    What was drawn is kept in the checkpoint `folder`; if it holds an unfinished (or
    finished) fit of the same `problem`, that fit is continued, with the same draws as
    if it had never stopped. `problem` names what is being fitted (hashes of model, data
    and fit file); the arguments and `estimation` are added to it.

    Other arguments: `start` replaces the climb to the mode; `cores` chains run at once
    (all cores); `held` and `explain` as in `find_mode`; `force` continues on another
    machine; a kill loses `block_s` seconds.

    Raises a `ValueError` when JAX is not in float64, when no start has a finite density
    and when the checkpoint is damaged or foreign.
    """
    require_float64()
    clock = _CpuClock()
    args = jax.tree.map(jnp.asarray, args)
    stacked = _vectorised(estimation)
    progress = Silent() if progress is None else progress
    known = {
        **problem,
        "estimation": estimation.model_dump(),
        "arguments": hash_arrays(args),
        "vectorised": stacked,
    }
    checkpoint = open_checkpoint(folder, known, machine(), force)
    start_key, chain_key = jax.random.split(jax.random.key(estimation.seed))
    progress.stage("climbing to the mode")
    begun, mode_cpu = _started(
        checkpoint,
        lambda: start or make_start(target, args, estimation, start_key, held, explain),
        clock,
    )
    progress.stage("compiling the sampler")
    chains = _first_chains(target, args, begun, chain_key)
    states = [_stack(chains)] if stacked else chains
    program = _program(
        target, estimation.target_accept, estimation.max_tree_depth, stacked
    )
    space = Space(begun.scale, begun.bend if estimation.bend else None)
    _compile(program, states[0], space, args)
    cpu = {"mode": mode_cpu, "compile": clock.lap()}
    lanes = [
        Lane(i, group, stacked, program, checkpoint, progress, clock.lap, block_s)
        for i, group in enumerate(_groups(len(chains), stacked))
    ]
    threads = cores or cpu_count() or 1

    def gradient(position: Float[np.ndarray, " d"]) -> Float[np.ndarray, " d"]:
        return np.asarray(target.evaluate(position, args)[1])

    phases = run_stages(
        lanes, states, space, args, estimation, threads, gradient, target.single
    )
    return _gathered(phases, begun, cpu, estimation.max_tree_depth)


def _started(
    checkpoint: Checkpoint, make: Callable[[], Start], clock: "_CpuClock"
) -> tuple[Start, float]:
    """The start on disk, or a new one that is then on disk; and its CPU seconds."""
    stored = checkpoint.read("start")
    if stored is not None:
        header, arrays = stored
        return start_from(header, arrays), header["cpu"]
    start = make()
    cpu = clock.lap()
    checkpoint.write(
        "start",
        {"potentials": start.potentials, "cpu": cpu},
        start_arrays(start),
    )
    return start, cpu


def _first_chains(
    target: Target, args: tuple, start: Start, key: PRNGKeyArray
) -> list[Chain]:
    def chain(number: int, position: Float[np.ndarray, " d"]) -> Chain:
        point = Point(jnp.asarray(position), *target.evaluate(position, args))
        data = jax.random.key_data(jax.random.fold_in(key, number))
        first = start_chain(point, data, jnp.asarray(_FIRST_STEP))
        return jax.tree.map(np.asarray, first)

    return [chain(i, position) for i, position in enumerate(start.positions)]


def _groups(chains: int, stacked: bool) -> list[tuple[int, ...]]:
    """The chains of each lane."""
    return [tuple(range(chains))] if stacked else [(i,) for i in range(chains)]


def _stack(chains: Sequence[Chain]) -> Chain:
    return jax.tree.map(lambda *leaves: np.stack(leaves), *chains)


def _vectorised(estimation: EstimationBlock) -> bool:
    """Whether one program runs all chains: on a GPU by default, never so on a CPU."""
    if estimation.method == "auto":
        return jax.default_backend() != "cpu"
    return estimation.method == "vectorised"


@lru_cache(maxsize=PROGRAMS)
def _program(
    target: Target, target_accept: float, max_tree_depth: int, stacked: bool
) -> Program:
    run = block_program(target.potential, target_accept, max_tree_depth)
    mapped = jax.vmap(run, in_axes=(0, None, None, None, None)) if stacked else run
    return jax.jit(mapped)


def _compile(program: Program, state: Chain, space: Space, args: tuple) -> None:
    """A block of no draws, here: tracing in several threads at once crashes."""
    done = program(
        state, jax.tree.map(jnp.asarray, space), args, np.int64(0), np.bool_(True)
    )
    jax.block_until_ready(done)


def _gathered(
    phases: Mapping[str, Sequence[Rows]],
    start: Start,
    cpu: Mapping[str, float],
    max_tree_depth: int,
) -> Draws:
    warmup, kept = joined(phases["warmup"]), joined(phases["sampling"])
    statistics = {
        phase: {
            **{name: v for name, v in rows.draws.items() if name != "position"},
            "reached_max_treedepth": rows.draws["tree_depth"] >= max_tree_depth,
        }
        for phase, rows in (("warmup", warmup), ("sampling", kept))
    }
    return Draws(
        positions=kept.draws["position"],
        statistics=statistics["sampling"],
        warmup=statistics["warmup"],
        failures=kept.failures,
        start=start,
        cpu_s={**cpu, "warmup": warmup.cpu, "sampling": kept.cpu},
        leapfrogs={
            "warmup": int(warmup.draws["n_steps"].sum()),
            "sampling": int(kept.draws["n_steps"].sum()),
        },
    )


class _CpuClock:
    """CPU seconds of this process since the last lap; safe to call from threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = process_time()

    def lap(self) -> float:
        with self._lock:
            before, self._last = self._last, process_time()
            return self._last - before
