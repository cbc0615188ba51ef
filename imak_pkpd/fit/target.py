"""`target(model, args)`: a NumPyro model as a density of one flat vector.

The vector holds all latent sites, unconstrained, in NumPyro's coordinates; the model's
arguments stay arguments (traced), so new data of the same shape compile nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, PRNGKeyArray
from numpyro.distributions import biject_to
from numpyro.handlers import seed, substitute, trace
from numpyro.infer import init_to_median, init_to_sample, init_to_value
from numpyro.infer.util import constrain_fn, potential_energy

# Draws behind a "prior median" of one site: its error is 1.25 sd/sqrt(1001) = 4 % sd.
_MEDIAN_DRAWS = 1001

Model = Callable[..., Any]
Values = Mapping[str, Array]


@dataclass(frozen=True, eq=False)
class Target:
    """The posterior of `model` on a flat unconstrained vector of length `size`.

    `sites` gives the part of the vector that belongs to each latent site.
    """

    model: Model
    size: int
    sites: Mapping[str, slice]
    unravel: Callable[[Float[Array, " d"]], dict[str, Array]]

    def potential(self, position: Float[Array, " d"], args: tuple) -> Float[Array, ""]:
        """Minus the log posterior (up to a constant); +inf where it is undefined."""
        energy = potential_energy(self.model, args, {}, self.unravel(position))
        return jnp.where(jnp.isnan(energy), jnp.inf, energy)

    @cached_property
    def evaluate(self) -> Callable[..., tuple[Array, Array]]:
        """The compiled `evaluate(position, args)`: potential and gradient."""
        return jax.jit(jax.value_and_grad(self.potential))

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
    return Target(model, flat.size, _slices(zeros), unravel)


def prior_median(target: Target, args: tuple) -> Float[np.ndarray, " d"]:
    """The prior medians, site by site, on the unconstrained scale."""
    strategy = init_to_median(num_samples=_MEDIAN_DRAWS)
    return _start(target, strategy, _key(0), args)


def prior_draw(
    target: Target, key: PRNGKeyArray, args: tuple
) -> Float[np.ndarray, " d"]:
    """One draw of all latent sites from the prior, on the unconstrained scale."""
    return _start(target, init_to_sample(), key, args)


def constrain_draws(
    target: Target,
    args: tuple,
    positions: Float[np.ndarray, "chain draw d"],
    keep: Callable[[str], bool] = lambda name: True,
    chunk: int = 100,
) -> dict[str, np.ndarray]:
    """Site values of all draws, arrays (chain, draw, ...), deterministics included.

    `keep` chooses the sites by name: what is not kept is not computed. `chunk` draws
    are in memory at once.
    """

    def one(position: Float[Array, " d"], args: tuple) -> dict[str, Array]:
        values = target.constrain(position, args)
        return {name: value for name, value in values.items() if keep(name)}

    def many(positions: Float[Array, "n d"], args: tuple) -> dict[str, Array]:
        return jax.lax.map(lambda p: one(p, args), positions, batch_size=chunk)

    chains, draws, size = positions.shape
    flat = jax.jit(many)(positions.reshape(chains * draws, size), args)
    return {
        name: np.asarray(value).reshape(chains, draws, *value.shape[1:])
        for name, value in flat.items()
    }


def _key(number: int) -> PRNGKeyArray:
    return jax.random.key(number)


def _start(
    target: Target, strategy: Callable, key: PRNGKeyArray, args: tuple
) -> Float[np.ndarray, " d"]:
    values = jax.jit(partial(_draw, target.model, strategy))(key, args)
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
