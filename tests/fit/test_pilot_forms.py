"""What a pilot says of the effects, on a problem that linear algebra solves."""

from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest

from imak_pkpd.fit.mode import find_mode
from imak_pkpd.fit.pilot_forms import pilot_choices, restated, values_at
from imak_pkpd.fit.target import Target, target
from imak_pkpd.population.omega import OmegaBlock

FormName = Literal["z", "deviation"]

SUBJECTS = 40
_rng = np.random.default_rng(7)


def model(form: FormName, sd: float) -> Callable[[jax.Array], None]:
    """One value of known SD for every patient."""

    def normal(y: jax.Array) -> None:
        theta = numpyro.sample("theta_a", dist.Normal(0.0, 2.0))
        spread = numpyro.sample("omega_a", dist.HalfNormal(0.5))
        with numpyro.plate("patient", SUBJECTS):
            if form == "z":
                z = numpyro.sample("z_a", dist.Normal(0.0, 1.0))
                eta = numpyro.deterministic("eta_a", spread * z)
            else:
                eta = numpyro.sample("eta_a", dist.Normal(0.0, spread))
        numpyro.factor("fit", dist.Normal(theta + eta, sd).log_prob(y).sum())

    return normal


def made(form: FormName, omega: float, sd: float) -> tuple[Target, tuple]:
    """The density of patients who differ by `omega`, and its args."""
    y = 1.0 + _rng.normal(0.0, np.hypot(omega, sd), SUBJECTS)
    return target(model(form, sd), (y,)), (y,)


def omega_block(**line: object) -> OmegaBlock:
    prior = {"dist": "HalfNormal", "scale": 0.5, **line}
    return OmegaBlock.model_validate({"a": prior})


@pytest.mark.parametrize("form", ["z", "deviation"])
@pytest.mark.parametrize(
    ("omega", "sd", "better"), [(0.5, 0.05, "deviation"), (0.005, 0.3, "z")]
)
def test_data_and_sd_of_each_patient_are_found(
    form: FormName, omega: float, sd: float, better: str
) -> None:
    density, args = made(form, omega, sd)
    mode = find_mode(density, args, jax.random.key(0))
    choice = pilot_choices(omega_block(), {"a": form}, density, args, mode)["a"]
    theta = values_at(density, args, mode.position)["theta_a"]
    # differences of gradients: 1e-6 of a curvature, times what shrinkage undoes
    assert choice.information.sd == pytest.approx(sd, rel=1e-3)
    assert choice.information.value == pytest.approx(
        args[0] - theta, rel=1e-3, abs=1e-4
    )
    assert choice.form == better


def test_a_form_that_was_asked_for_stays() -> None:
    density, args = made("z", 0.5, 0.05)
    mode = find_mode(density, args, jax.random.key(0))
    asked = omega_block(form="z")
    assert pilot_choices(asked, {"a": "z"}, density, args, mode)["a"].form == "z"


def test_an_effect_with_a_fixed_omega_is_left_alone() -> None:
    density, args = made("z", 0.5, 0.05)
    bare = Target(density.model, density.shapes, density.size, {}, density.unravel)
    mode = find_mode(density, args, jax.random.key(0))
    fixed = OmegaBlock.model_validate({"a": {"fixed": 0.3}})
    assert pilot_choices(fixed, {"a": "z"}, bare, args, mode) == {}


def test_the_start_is_the_conditional_mode_in_the_new_coordinates() -> None:
    """With theta held, the slope of eta's density vanishes: eta was moved along."""
    before, args = made("deviation", 0.02, 0.3)
    onto = target(model("z", 0.3), args)
    mode = find_mode(before, args, jax.random.key(0))
    found = pilot_choices(omega_block(), {"a": "deviation"}, before, args, mode)
    again = restated(before, onto, args, mode, found)
    values = values_at(onto, args, again.position)
    assert values["omega_a"] == pytest.approx(found["a"].omega)
    assert values["theta_a"] == pytest.approx(
        values_at(before, args, mode.position)["theta_a"]
    )
    slope = np.asarray(onto.evaluate(jnp.asarray(again.position), args)[1])
    # found from curvatures by differences; a prior SD of z is 1
    assert np.abs(slope[onto.sites["z_a"]]).max() < 1e-3
