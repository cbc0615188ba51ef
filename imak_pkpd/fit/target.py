"""`target(model, args)`: a NumPyro model as a density of one flat vector.

The vector holds all latent sites, unconstrained, in NumPyro's coordinates; the model's
arguments stay arguments (traced), so new data of the same shape compile nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, PRNGKeyArray
from numpyro.distributions import biject_to
from numpyro.handlers import seed, substitute, trace
from numpyro.infer import init_to_median, init_to_sample, init_to_value
from numpyro.infer.util import constrain_fn, potential_energy

from imak_pkpd.solve.guard import guard
from imak_pkpd.solve.together import map_together

# Draws behind a "prior median" of one site: its error is 1.25 sd/sqrt(1001) = 4 % sd.
_MEDIAN_DRAWS = 1001

PROGRAMS = 8  # targets whose compiled programs are kept in memory

Model = Callable[..., Any]
Values = Mapping[str, Array]


@dataclass(frozen=True)
class Target:
    """The posterior of `model` on a flat unconstrained vector of length `size`.

    `shapes` are the latent sites with their unconstrained shapes, `sites` the part of
    the vector that belongs to each. Targets of one model and equal shapes are equal,
    and share their compiled programs.
    """

    model: Model
    shapes: tuple[tuple[str, tuple[int, ...]], ...]
    size: int = field(compare=False)
    sites: Mapping[str, slice] = field(compare=False)
    unravel: Callable[[Float[Array, " d"]], dict[str, Array]] = field(compare=False)

    @property
    def single(self) -> Bool[np.ndarray, " d"]:
        """Which coordinates are all of their site: typical values, SDs, shares."""
        made = np.zeros(self.size, bool)
        for part in self.sites.values():
            made[part] = part.stop - part.start == 1
        return made

    def potential(self, position: Float[Array, " d"], args: tuple) -> Float[Array, ""]:
        """Minus the log posterior (up to a constant).

        +inf where it is undefined, and where the density is infinite: overflow far out
        in a flat prior, to which no climb must be drawn. A gradient that is undefined
        there (zero times an overflow) is zero.
        """
        sites = self.unravel(guard(position))
        energy = potential_energy(self.model, args, {}, sites)
        # Without the barrier XLA computes the energy anew wherever its gradient asks
        # whether it is NaN: twice the program, and a sixth more compilation.
        energy = jax.lax.optimization_barrier(energy)
        undefined = jnp.isnan(energy) | jnp.isneginf(energy)
        return jnp.where(undefined, jnp.inf, energy)

    def evaluate(
        self, position: Float[np.ndarray, " d"], args: tuple
    ) -> tuple[Array, Array]:
        """The potential and its gradient, compiled."""
        return _evaluator(self)(position, args)

    def constrain(self, position: Float[Array, " d"], args: tuple) -> dict[str, Array]:
        """Site values on their own scale, deterministic sites included."""
        return constrain_fn(
            self.model, args, {}, self.unravel(position), return_deterministic=True
        )

    def replace(
        self, position: Float[Array, " d"], values: Values, args: tuple
    ) -> Float[Array, " d"]:
        """The vector with some sites set to `values`, given on their own scale."""
        new = _draw(self.model, init_to_value(values=values), _key(0), args)
        for name in values:
            position = position.at[self.sites[name]].set(jnp.ravel(new[name]))
        return position


def require_float64() -> None:
    """Raises a `ValueError` unless JAX computes in float64."""
    if not jax.config.jax_enable_x64:
        raise ValueError(
            "a fit needs float64, but JAX is in float32: put "
            "jax.config.update('jax_enable_x64', True) before the first use of JAX"
        )


def target(model: Model, args: tuple) -> Target:
    """The density of `model(*args)`; traces the model once, solves nothing."""
    require_float64()
    structs = jax.eval_shape(partial(_draw, model, init_to_sample()), _key(0), args)
    zeros = {name: np.zeros(s.shape, s.dtype) for name, s in structs.items()}
    if not zeros:
        raise ValueError("the model has no latent site, so there is nothing to sample")
    flat, unravel = ravel_pytree(zeros)
    shapes = tuple((name, zeros[name].shape) for name in sorted(zeros))
    return Target(model, shapes, flat.size, _slices(zeros), unravel)


def prior_median(target: Target, args: tuple) -> Float[np.ndarray, " d"]:
    """The prior medians, site by site, on the unconstrained scale."""
    return _raveled(_medians(target)(_key(0), args))


def prior_draw(
    target: Target, key: PRNGKeyArray, args: tuple
) -> Float[np.ndarray, " d"]:
    """One draw of all latent sites from the prior, on the unconstrained scale."""
    return _raveled(_samples(target)(key, args))


def constrain_draws(
    target: Target,
    args: tuple,
    positions: Float[np.ndarray, "chain draw d"],
    keep: Callable[[str], bool] = bool,
    chunk: int = 100,
) -> dict[str, np.ndarray]:
    """Site values of all draws, arrays (chain, draw, ...), deterministics included.

    `keep` chooses the sites by name (all): what is not kept is not computed. `chunk`
    draws are in memory at once.
    """
    chains, draws, size = positions.shape
    flat = _constrainer(target, keep, chunk)(
        positions.reshape(chains * draws, size), args
    )
    return {
        name: np.asarray(value).reshape(chains, draws, *value.shape[1:])
        for name, value in flat.items()
    }


def constrain_flat(
    target: Target,
    args: tuple,
    positions: Float[np.ndarray, "draw d"],
    keep: Callable[[str], bool] = bool,
) -> dict[str, np.ndarray]:
    """The same of draws without chains, arrays (draw, ...)."""
    found = constrain_draws(target, args, positions[None], keep)
    return {name: value[0] for name, value in found.items()}


def log_densities(
    target: Target, args: tuple, positions: Float[np.ndarray, "draw d"]
) -> Float[np.ndarray, " draw"]:
    """The log density at many positions, compiled."""
    return -np.asarray(_potentials(target)(jnp.asarray(positions), args))


def _key(number: int) -> PRNGKeyArray:
    return jax.random.key(number)


@lru_cache(maxsize=PROGRAMS)
def _evaluator(target: Target) -> Callable:
    return jax.jit(jax.value_and_grad(target.potential))


@lru_cache(maxsize=PROGRAMS)
def _potentials(target: Target) -> Callable:
    return jax.jit(jax.vmap(target.potential, in_axes=(0, None)))


@lru_cache(maxsize=PROGRAMS)
def _medians(target: Target) -> Callable:
    strategy = init_to_median(num_samples=_MEDIAN_DRAWS)
    return jax.jit(partial(_draw, target.model, strategy))


@lru_cache(maxsize=PROGRAMS)
def _samples(target: Target) -> Callable:
    return jax.jit(partial(_draw, target.model, init_to_sample()))


@lru_cache(maxsize=PROGRAMS)
def _constrainer(target: Target, keep: Callable[[str], bool], chunk: int) -> Callable:
    def one(position: Float[Array, " d"], args: tuple) -> dict[str, Array]:
        values = target.constrain(position, args)
        return {name: value for name, value in values.items() if keep(name)}

    def many(positions: Float[Array, "n d"], args: tuple) -> dict[str, Array]:
        return map_together(lambda p: one(p, args), positions, chunk)

    return jax.jit(many)


def _raveled(values: Values) -> Float[np.ndarray, " d"]:
    return np.asarray(ravel_pytree(dict(values))[0])


def _draw(
    model: Model, strategy: Callable, key: PRNGKeyArray, args: tuple
) -> dict[str, Array]:
    """Unconstrained values of the latent sites as `strategy` chooses them."""
    chosen = substitute(seed(model, key), substitute_fn=strategy)
    return {
        name: biject_to(site["fn"].support).inv(site["value"])
        for name, site in trace(chosen).get_trace(*args).items()
        if site["type"] == "sample" and not site["is_observed"]
    }


def _slices(values: Mapping[str, np.ndarray]) -> dict[str, slice]:
    """Where each site lies in the raveled vector: sorted by name, as JAX sorts."""
    names = sorted(values)
    ends = np.cumsum([values[name].size for name in names])
    return {
        name: slice(int(end) - values[name].size, int(end))
        for name, end in zip(names, ends, strict=True)
    }
