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
from jaxtyping import Float

from imak_pkpd.fit.checkpoint import Checkpoint
from imak_pkpd.fit.estimation import EstimationBlock, MetricFrom
from imak_pkpd.fit.lane import Lane, Rows, Stage, joined
from imak_pkpd.fit.metric import Scale, adapted_scale, balanced_scale
from imak_pkpd.fit.nuts import Chain, restart_step_size

# Ends of the warm-up windows as parts of the warm-up. All but the last correct the
# metric, and the last learns the step size alone (as Stan's 50 of 1000). Draws need a
# first one to find the typical set, and many; gradients show a bad metric in few draws.
_WINDOWS = {
    "draws": (0.1, 0.25, 0.5, 0.8, 1.0),
    "gradients": (0.05, 0.15, 0.3, 0.5, 0.8, 1.0),
}
_FIRST = {"draws": 1, "gradients": 0}  # the window that is the first to correct
_LEARN_FROM = 50  # draws of all chains below which a window corrects no metric

Gradient = Callable[[Float[np.ndarray, " d"]], Float[np.ndarray, " d"]]


def stages(
    warmup: int, draws: int, chains: int, metric_from: MetricFrom = "draws"
) -> tuple[Stage, ...]:
    """The windows of the warm-up, then sampling."""
    ends = [round(part * warmup) for part in _WINDOWS[metric_from]]
    windows = []
    for i, (first, end) in enumerate(zip([0, *ends], ends, strict=False)):
        learn = (
            _FIRST[metric_from] <= i < len(ends) - 1
            and (end - first) * chains >= _LEARN_FROM
        )
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
    gradient: Gradient,
) -> dict[str, list[Rows]]:
    """Rows of all chains, stage by stage, under the name of their phase.

    At most `cores` lanes run at once. `gradient` of the potential, where draws are: for
    a metric from gradients. With that goes one step size for all chains.
    """
    phases: dict[str, list[Rows]] = {"warmup": [], "sampling": []}
    restart = _restart(lanes[0].stacked)
    balanced = estimation.metric_from == "gradients"
    known = (estimation.warmup, estimation.draws, estimation.chains)
    for stage in stages(*known, estimation.metric_from):
        lanes[0].progress.stage(stage.phase)
        states, rows = _one_stage(lanes, stage, states, scale, args, cores)
        phases[stage.phase].append(rows)
        if stage.learn:
            slope = gradient if balanced else None
            scale = _learnt(lanes[0].checkpoint, stage, scale, rows, slope)
        if stage.adapt:
            states = _agreed(states) if balanced else states
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


def _learnt(
    checkpoint: Checkpoint,
    stage: Stage,
    scale: Scale,
    rows: Rows,
    gradient: Gradient | None,
) -> Scale:
    """The metric after a warm-up window: the one on disk, or a new one."""
    name = f"metric-{stage.name}"
    stored = checkpoint.read(name)
    if stored is not None:
        return stored[1]["scale"]
    positions = rows.draws["position"]
    flat = positions.reshape(-1, positions.shape[-1])
    if gradient is None:
        learnt = adapted_scale(scale, flat)
    else:
        slopes = np.stack([gradient(each) for each in flat])
        learnt = balanced_scale(scale, flat, slopes)
    checkpoint.write(name, {}, {"scale": learnt})
    return learnt


def _agreed(states: Sequence[Chain]) -> list[Chain]:
    """Chains that have learnt one step size: the geometric mean of their own, which are
    averages over few draws and noisy."""
    mean = np.mean([state.averaging[1] for state in states])

    def one(state: Chain) -> Chain:
        now, learnt, slope, count, centre = state.averaging
        agreed = jnp.full_like(learnt, mean)
        return state._replace(averaging=(now, agreed, slope, count, centre))

    return [one(state) for state in states]


@lru_cache(maxsize=2)
def _restart(stacked: bool) -> Callable[[Chain], Chain]:
    return jax.jit(jax.vmap(restart_step_size) if stacked else restart_step_size)
