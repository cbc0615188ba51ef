"""One subject's model, seen at one instant: its parameters and inputs there."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from imak_pkpd.data.schedule import Covariates
from imak_pkpd.model import Inputs

InputsAt = Callable[[Float[Array, ""]], Inputs]


def at_setting[Model](model: Model, setting: Int[Array, ""]) -> Model:
    """The model with the parameters of one covariate setting.

    A parameter that varies inside the subject has a leading axis `setting`.
    """
    return jax.tree.map(lambda leaf: leaf[setting] if jnp.ndim(leaf) else leaf, model)


def change_at(covariates: Covariates, clock: Float[Array, "*n"]) -> Int[Array, "*n"]:
    """The covariate interval that holds `clock` (not one of its ends)."""
    if covariates.start.shape[-1] == 1:
        return jnp.zeros(jnp.shape(clock), jnp.int32)
    return jnp.sum(covariates.start < jnp.asarray(clock)[..., None], -1) - 1


def inputs_between(
    covariates: Covariates,
    columns: tuple[str, ...],
    linear: tuple[str, ...],
    change: Int[Array, ""],
    shift: Float[Array, ""],
    infusion: PyTree,
) -> InputsAt:
    """Inputs as a function of TIME inside one covariate interval."""
    value = covariates.value[covariates.setting[change]]
    start = covariates.start[change]
    origin = jnp.where(jnp.isfinite(start), start, 0.0) - shift
    base, slope = covariates.base[change], covariates.slope[change]

    def inputs(t: Float[Array, ""]) -> Inputs:
        carried = {
            name: base[i] + slope[i] * (t - origin) if name in linear else value[i]
            for i, name in enumerate(columns)
        }
        return Inputs(infusion, carried)

    return inputs
