"""The stages of a fit: warm-up windows, each ending in a better metric, then sampling.

At the end of a window the draws of all chains together correct the metric; within one a
chain depends on its own state only, so lanes run in threads of their own.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np

from imak_pkpd.fit.checkpoint import Checkpoint
from imak_pkpd.fit.estimation import EstimationBlock
from imak_pkpd.fit.lane import Lane, Rows, Stage, joined
from imak_pkpd.fit.metric import Scale, adapted_scale
from imak_pkpd.fit.nuts import Chain, restart_step_size

# Ends of the warm-up windows as parts of the warm-up: find the typical set, three
# windows that correct the metric, then the step size alone (as Stan's 75/…/50 of 1000).
_WINDOWS = (0.1, 0.25, 0.5, 0.8, 1.0)
_LEARN_FROM = 50  # draws per chain below which a window corrects no metric


def stages(warmup: int, draws: int, chains: int) -> tuple[Stage, ...]:
    """The windows of the warm-up, then sampling."""
    ends = [round(part * warmup) for part in _WINDOWS]
    windows = []
    for i, (first, end) in enumerate(zip([0, *ends], ends, strict=False)):
        learn = 0 < i < len(ends) - 1 and (end - first) * chains >= _LEARN_FROM
        name = f"warmup{i}"
        windows.append(Stage(name, "warmup", first, end - first, warmup, learn))
    return (*windows, Stage("sampling", "sampling", 0, draws, draws, False))


def run_stages(
    lanes: Sequence[Lane],
    states: Sequence[Chain],
    scale: Scale,
    args: tuple,
    estimation: EstimationBlock,
    cores: int,
) -> dict[str, list[Rows]]:
    """Rows of all chains, stage by stage, under the name of their phase.

    At most `cores` lanes run at once.
    """
    phases: dict[str, list[Rows]] = {"warmup": [], "sampling": []}
    restart = _restart(lanes[0].stacked)
    for stage in stages(estimation.warmup, estimation.draws, estimation.chains):
        lanes[0].progress.stage(stage.phase)
        states, rows = _one_stage(lanes, stage, states, scale, args, cores)
        phases[stage.phase].append(rows)
        if stage.learn:
            scale = _learnt(lanes[0].checkpoint, stage, scale, rows)
        if stage.adapt:
            states = [jax.tree.map(np.asarray, restart(state)) for state in states]
    return phases


def _one_stage(
    lanes: Sequence[Lane],
    stage: Stage,
    states: Sequence[Chain],
    scale: Scale,
    args: tuple,
    cores: int,
) -> tuple[list[Chain], Rows]:
    """All lanes through one stage, at most `cores` at once; an error stops them all."""
    stop = threading.Event()
    on_device = jnp.asarray(scale)
    with ThreadPoolExecutor(max_workers=min(cores, len(lanes))) as pool:
        running = [
            pool.submit(lane.advance, stage, state, on_device, args, stop.is_set)
            for lane, state in zip(lanes, states, strict=True)
        ]
        try:
            finished, _ = wait(running, return_when=FIRST_EXCEPTION)
            for future in finished:
                future.result()  # raises what a lane raised
        finally:
            stop.set()  # the others end after their block
    ended = [future.result() for future in running]
    return [state for state, _ in ended], joined([rows for _, rows in ended], axis=0)


def _learnt(checkpoint: Checkpoint, stage: Stage, scale: Scale, rows: Rows) -> Scale:
    """The metric after a warm-up window: the one on disk, or a new one."""
    name = f"metric-{stage.name}"
    stored = checkpoint.read(name)
    if stored is not None:
        return stored[1]["scale"]
    positions = rows.draws["position"]
    learnt = adapted_scale(scale, positions.reshape(-1, positions.shape[-1]))
    checkpoint.write(name, {}, {"scale": learnt})
    return learnt


@lru_cache(maxsize=2)
def _restart(stacked: bool) -> Callable[[Chain], Chain]:
    return jax.jit(jax.vmap(restart_step_size) if stacked else restart_step_size)
