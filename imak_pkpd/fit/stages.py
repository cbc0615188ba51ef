"""The stages of a fit: warm-up windows, each ending in a better metric, then sampling.

At the end of a window the draws of all chains together correct the metric; within one a
chain depends on its own state only, so lanes run in threads of their own.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from functools import lru_cache, partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from imak_pkpd.fit.bend import Bend, bend_arrays, learnt_bend, slope_along, unbent
from imak_pkpd.fit.checkpoint import Checkpoint
from imak_pkpd.fit.estimation import EstimationBlock, MetricFrom
from imak_pkpd.fit.lane import Lane, Rows, Stage, joined
from imak_pkpd.fit.metric import adapted_scale, balanced_scale
from imak_pkpd.fit.nuts import Chain, Scale, Space, restart_step_size

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
    space: Space,
    args: tuple,
    estimation: EstimationBlock,
    cores: int,
    gradient: Gradient,
    single: Bool[np.ndarray, " d"],
) -> dict[str, list[Rows]]:
    """Rows of all chains, stage by stage, under the name of their phase.

    At most `cores` lanes run at once. `gradient` of the potential, where draws are: for
    a metric from gradients. With that goes one step size for all chains. `single`
    coordinates may be bent.
    """
    phases: dict[str, list[Rows]] = {"warmup": [], "sampling": []}
    # A skewness needs more draws than a width: those of all windows that learn.
    seen: list[Float[np.ndarray, "chain n d"]] = []
    restart = _restart(lanes[0].stacked)
    balanced = estimation.metric_from == "gradients"
    known = (estimation.warmup, estimation.draws, estimation.chains)
    for stage in stages(*known, estimation.metric_from):
        lanes[0].progress.stage(stage.phase)
        states, rows = _one_stage(lanes, stage, states, space, args, cores)
        phases[stage.phase].append(rows)
        if stage.learn:
            slope = gradient if balanced else None
            seen.append(rows.draws["position"])
            space = _learnt(lanes[0].checkpoint, stage, space, seen, slope, single)
        if stage.adapt:
            states = _agreed(states) if balanced else states
            states = [jax.tree.map(np.asarray, restart(state)) for state in states]
    return phases


def _one_stage(
    lanes: Sequence[Lane],
    stage: Stage,
    states: Sequence[Chain],
    space: Space,
    args: tuple,
    cores: int,
) -> tuple[list[Chain], Rows]:
    """All lanes through one stage, at most `cores` at once; an error stops them all."""
    stop = threading.Event()
    on_device = jax.tree.map(jnp.asarray, space)
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
    space: Space,
    seen: Sequence[Float[np.ndarray, "chain n d"]],
    gradient: Gradient | None,
    single: Bool[np.ndarray, " d"],
) -> Space:
    """The maps after a warm-up window: those on disk, or new ones."""
    name = f"metric-{stage.name}"
    stored = checkpoint.read(name)
    if stored is not None:
        scale, bend = stored[1]["scale"], None
        if space.bend is not None:
            bend = Bend(*(stored[1][leaf] for leaf in Bend._fields))
        return Space(scale, bend)
    draws = seen[-1].reshape(-1, len(single))
    slopes = None if gradient is None else np.stack([gradient(each) for each in draws])
    if space.bend is None:
        learnt = Space(_corrected(space.scale, draws, slopes), None)
        checkpoint.write(name, {}, {"scale": np.asarray(learnt.scale)})
        return learnt
    bend = learnt_bend(space.bend, np.concatenate(seen, 1), single)
    places = np.asarray(jax.vmap(partial(unbent, bend))(draws))
    if slopes is not None:
        slopes = np.asarray(jax.vmap(partial(slope_along, bend))(draws, slopes))
    scale = _corrected(space.scale, places, slopes)
    checkpoint.write(name, {}, {"scale": scale, **bend_arrays(bend)})
    return Space(scale, bend)


def _corrected(
    scale: Scale,
    draws: Float[np.ndarray, "n d"],
    slopes: Float[np.ndarray, "n d"] | None,
) -> np.ndarray:
    """The linear map, by draws alone or with the slopes at each."""
    before = np.asarray(scale)
    if slopes is None:
        return adapted_scale(before, draws)
    return balanced_scale(before, draws, slopes)


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
