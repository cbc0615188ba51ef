"""The teaching model against the core model where both are the same model.

With the host's own immunity off (Z0 = 0) and host cells that stay at half their number
(no recovery; half are left at the start, none are killed later), the core model is it.
"""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from scipy.integrate import solve_ivp

from imak_pkpd.model import Inputs, load_model, parameters
from imak_pkpd.model.abstract import AbstractModel
from tests.model.test_imak_core import MEDIANS

NOTHING = Inputs({"cells": jnp.zeros(())}, {})
DAYS = np.array([0.5, 1.0, 2.0, 4.0, 6.0, 10.0, 28.0])


def path(
    model: AbstractModel, start: tuple, held: tuple[str, ...] = ()
) -> dict[str, np.ndarray]:
    """States on DAYS; those `held` do not move."""
    names = type(start)
    still = np.array([name in held for name in names._fields])
    rates = jax.jit(lambda t, y: jnp.stack(model.rates(t, names(*y), NOTHING)))
    solved = solve_ivp(
        lambda t, y: np.where(still, 0.0, rates(t, y)), (0.0, DAYS[-1]),
        np.array(start), "LSODA", t_eval=DAYS, rtol=1e-10, atol=1e-8,
    )  # fmt: skip
    return dict(zip(names._fields, solved.y, strict=True))


def infused(model: AbstractModel) -> tuple:
    return model.dose(model.initial(NOTHING), "cells", jnp.asarray(7e9))


def test_it_is_the_core_model_with_a_host_that_stays_halved(root: Path) -> None:
    core, teaching = (
        load_model(root / "models" / f"imak_{name}.py") for name in ("core", "teaching")
    )
    changed = MEDIANS | {"Z0": 0.0}
    whole = core(**{name: jnp.asarray(changed[name]) for name in parameters(core)})
    small = teaching(
        **{name: jnp.asarray(MEDIANS[name]) for name in parameters(teaching)}
    )
    start = infused(whole)._replace(H=jnp.asarray(0.5 * MEDIANS["H0"]))
    expected, found = path(whole, start, held=("H",)), path(small, infused(small))
    for name in ("D", "P", "R", "l"):
        scale = np.abs(expected[name]).max()
        np.testing.assert_allclose(
            found[name], expected[name], rtol=1e-7, atol=1e-9 * scale
        )
