"""NUTS in blocks: `block_program` runs some draws of a chain, hands back its state.

The tree, the termination rule and dual averaging are NumPyro's. The metric is a linear
map `scale` (u = scale @ w, or scale * w) of coordinates u that `bend` makes of the
unconstrained vector x: momentum and termination live in w, where the metric is the
identity, and the maps are arguments of the compiled program. What a chain keeps and
reports is in x. How many draws a block holds does not change any draw.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, UInt32
from numpyro.infer.hmc_util import (
    IntegratorState,
    TreeInfo,
    build_tree,
    dual_averaging,
    euclidean_kinetic_energy,
)

from imak_pkpd.fit.bend import Bend, bent, log_stretch, slope_along, unbent

Scale = Float[Array | np.ndarray, "d d"] | Float[Array | np.ndarray, " d"]
Potential = Callable[[Float[Array, " d"], tuple], Float[Array, ""]]

BLOCK = 250  # most draws of one block: memory of a block is BLOCK * d * 16 bytes

_average_start, _average_next = dual_averaging()


class Space(NamedTuple):
    """The maps from w, where the posterior is to be round, to the unconstrained x.

    `bend` None: u is x.
    """

    scale: Scale
    bend: Bend | None


class Point(NamedTuple):
    """A place in the unconstrained space, with the potential and its gradient there."""

    position: Float[Array, " d"]
    potential: Float[Array, ""]
    gradient: Float[Array, " d"]


class Chain(NamedTuple):
    """All that a chain carries from draw to draw; `key` is raw key data."""

    point: Point
    key: UInt32[Array, " words"]
    step_size: Float[Array, ""]
    averaging: tuple[Array, Array, Array, Array, Array]


class Draw(NamedTuple):
    """What one draw reports; `failure` is where a solve failed, if one did."""

    position: Float[Array, " d"]
    lp: Float[Array, ""]
    energy: Float[Array, ""]
    acceptance_rate: Float[Array, ""]
    step_size: Float[Array, ""]
    n_steps: Int[Array, ""]
    tree_depth: Int[Array, ""]
    diverging: Bool[Array, ""]
    failed_solves: Bool[Array, ""]
    failure: Float[Array, " d"]


def start_chain(
    point: Point, key: UInt32[Array, " words"], step_size: Float[Array, ""]
) -> Chain:
    """A chain at `point` whose step size is still to be learnt."""
    averaging = _average_start(jnp.log(10.0 * step_size))  # 10: Hoffman & Gelman 2014
    return Chain(point, key, step_size, averaging)


def restart_step_size(chain: Chain) -> Chain:
    """The chain with the averaged step size of the window that ends here."""
    return start_chain(chain.point, chain.key, jnp.exp(chain.averaging[1]))


def block_program(
    potential: Potential, target_accept: float, max_tree_depth: int
) -> Callable[..., tuple[Chain, Draw]]:
    """`run(chain, space, args, n, adapt)`: n <= BLOCK draws, in BLOCK rows."""

    def run(
        chain: Chain,
        space: Space,
        args: tuple,
        n: Int[Array, ""],
        adapt: Bool[Array, ""],
    ) -> tuple[Chain, Draw]:
        def one(i: Array, carry: tuple[Chain, Draw]) -> tuple[Chain, Draw]:
            chain, rows = carry
            chain, draw = _draw(potential, max_tree_depth, chain, space, args)
            chain = _adapt(chain, draw, target_accept, adapt)
            return chain, jax.tree.map(lambda r, v: r.at[i].set(v), rows, draw)

        return jax.lax.fori_loop(0, n, one, (chain, _rows(chain)))

    return run


def _draw(
    potential: Potential, max_tree_depth: int, chain: Chain, space: Space, args: tuple
) -> tuple[Chain, Draw]:
    """One NUTS transition."""
    key, momentum_key, tree_key = jax.random.split(
        jax.random.wrap_key_data(chain.key), 3
    )
    point = chain.point
    momentum = jax.random.normal(momentum_key, point.position.shape)
    tree = build_tree(
        _leapfrog(potential, space, args),
        euclidean_kinetic_energy,
        _state(space, point, momentum),
        jnp.ones_like(momentum),  # the identity: the metric is in `scale`
        chain.step_size,
        tree_key,
        max_tree_depth=max_tree_depth,
    )
    chain = chain._replace(point=tree.z_proposal, key=jax.random.key_data(key))
    return chain, _report(tree, chain)


def _leapfrog(potential: Potential, space: Space, args: tuple) -> Callable:
    """One leapfrog step in w, where the tree's `z` is a `Point` in x."""
    value_and_grad = jax.value_and_grad(potential)

    def step(step_size: Array, _: Array, state: tuple) -> IntegratorState:
        point, momentum, _, slope = state
        momentum = momentum - 0.5 * step_size * slope
        way = step_size * _push(space.scale, momentum)
        position = _moved(space.bend, point.position, way)
        reached = _state(
            space, Point(position, *value_and_grad(position, args)), momentum
        )
        momentum = momentum - 0.5 * step_size * reached.z_grad
        return reached._replace(r=momentum)

    return step


def _state(space: Space, point: Point, momentum: Float[Array, " d"]) -> IntegratorState:
    """What the tree is made of: the potential and its slope are those in w."""
    if space.bend is None:
        slope = _pull(space.scale, point.gradient)
        return IntegratorState(point, momentum, point.potential, slope)
    wide = log_stretch(space.bend, point.position)
    slope = slope_along(space.bend, point.position, point.gradient)
    energy = point.potential - jnp.sum(wide)
    return IntegratorState(point, momentum, energy, _pull(space.scale, slope))


def _report(tree: TreeInfo, chain: Chain) -> Draw:
    """A tree ends at its first divergence, so a failed solve is one of its two ends."""
    failed_left = jnp.isinf(tree.z_left.potential)
    failed = failed_left | jnp.isinf(tree.z_right.potential)
    return Draw(
        position=tree.z_proposal.position,
        lp=-tree.z_proposal.potential,
        energy=tree.z_proposal_energy,
        acceptance_rate=tree.sum_accept_probs / tree.num_proposals,
        step_size=chain.step_size,
        n_steps=tree.num_proposals,
        tree_depth=jnp.asarray(tree.depth),
        diverging=tree.diverging,
        failed_solves=failed,
        failure=jnp.where(failed_left, tree.z_left.position, tree.z_right.position),
    )


def _adapt(
    chain: Chain, draw: Draw, target_accept: float, adapt: Bool[Array, ""]
) -> Chain:
    averaging = _average_next(target_accept - draw.acceptance_rate, chain.averaging)
    kept = jax.tree.map(
        lambda new, old: jnp.where(adapt, new, old), averaging, chain.averaging
    )
    step_size = jnp.where(adapt, jnp.exp(averaging[0]), chain.step_size)
    return chain._replace(step_size=step_size, averaging=kept)


def _moved(
    bend: Bend | None, x: Float[Array, " d"], way: Float[Array, " d"]
) -> Float[Array, " d"]:
    """The place that lies `way` from x in the coordinates u."""
    return x + way if bend is None else bent(bend, unbent(bend, x) + way)


def _push(scale: Scale, momentum: Float[Array, " d"]) -> Float[Array, " d"]:
    scale = jnp.asarray(scale)
    return scale @ momentum if scale.ndim == 2 else scale * momentum


def _pull(scale: Scale, gradient: Float[Array, " d"]) -> Float[Array, " d"]:
    scale = jnp.asarray(scale)
    return gradient @ scale if scale.ndim == 2 else scale * gradient


def _rows(chain: Chain) -> Draw:
    """Empty rows of a block."""
    number = jnp.zeros(BLOCK)
    count = jnp.zeros(BLOCK, int)
    flag = jnp.zeros(BLOCK, bool)
    vector = jnp.zeros((BLOCK, chain.point.position.size))
    return Draw(
        vector, number, number, number, number, count, count, flag, flag, vector
    )
