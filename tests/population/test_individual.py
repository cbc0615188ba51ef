"""Individual parameters: every form is the same density; the arithmetic is numpy's."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from numpyro import handlers
from numpyro.infer.util import log_density
from pydantic import TypeAdapter

from imak_pkpd.model import from_scale, to_scale
from imak_pkpd.population.covariate import CovariateBlock
from imak_pkpd.population.deviation import Patients
from imak_pkpd.population.individual import individual_values, sample_individuals
from imak_pkpd.population.mean import Population
from imak_pkpd.population.omega import Form, OmegaBlock
from imak_pkpd.population.prior import ThetaBlock

TIGHT = 1e-12  # the same sums in another order
HALF = {"dist": "HalfNormal", "scale": 1.0}
LKJ = {"parameters": ["CL", "V"], "lkj": 2.0}
SCALES = {"CL": "log", "V": "log", "F": "logit", "E0": "identity"}
THETA = {
    "CL": {"median": 3.0, "gsd": 1.6},
    "V": {"dist": "Normal", "loc": 1.0, "scale": 2.0},
    "F": {"median": 0.6, "sd": 1.0},
    "E0": {"dist": "Normal", "loc": 5.0, "scale": 3.0},
}
EFFECTS = {
    "CL": {"WT": {"form": "power", "reference": 70.0, "exponent": {"fixed": 0.75}}},
    "E0": {"WT": {"form": "linear", "reference": 70.0, "slope": {"dist": "Normal"}}},
}
PATIENTS = jnp.array([0, 1, 2])
WT = np.array([[50.0, 55.0], [70.0, 75.0], [91.0, 80.0]])
COVARIATES = {"WT": jnp.asarray(WT)}
ETA = {
    "CL": np.array([0.3, -0.2, 0.5]),
    "V": np.array([0.1, 0.4, -0.6]),
    "F": np.array([0.2, 0.1, 0.0]),
}
OMEGA = {"CL": 0.4, "V": 0.7, "F": 0.5}
NUMBERS = {"theta_CL": 1.1, "theta_V": 0.4, "theta_F": 0.3, "theta_E0": 4.0}
NUMBERS |= {"beta_E0_WT": 0.02}
FACTOR = np.array([[1.0, 0.0], [0.6, 0.8]])  # of a correlation of 0.6


def population(
    omega: dict, form: Form = "z", varying: frozenset[str] = frozenset(), **theta: Any
) -> Population:
    table = OmegaBlock.model_validate(omega)
    lines = TypeAdapter(dict[str, dict[str, CovariateBlock]]).validate_python(EFFECTS)
    return Population(
        scales=SCALES,
        theta={
            name: ThetaBlock.model_validate(raw)
            for name, raw in (THETA | theta).items()
        },
        omega=table,
        covariate=lines,
        forms=dict.fromkeys(table.random, form),
        to_scale=to_scale,
        from_scale=from_scale,
        varying=varying,
    )


def sample(chosen: Population) -> Mapping[str, jax.Array]:
    return sample_individuals(chosen, COVARIATES, 3, PATIENTS)


def sites_of(form: Form, joint: bool) -> dict[str, jax.Array]:
    """The sampled sites that stand for ETA, in one form."""
    means = {
        "CL": NUMBERS["theta_CL"] + 0.75 * np.log(WT[:, 0] / 70),
        "V": 0.4,
        "F": 0.3,
    }
    values: dict[str, Any] = {}
    for name, each in ETA.items():
        if not (joint and name != "F"):
            values |= {
                "z": {f"z_{name}": each / OMEGA[name]},
                "deviation": {f"eta_{name}": each},
                "centred": {f"phi_{name}": means[name] + each},
            }[form]
    if joint:
        factor = np.diag([OMEGA["CL"], OMEGA["V"]]) @ FACTOR
        both = np.stack([ETA["CL"], ETA["V"]], 1)
        z = np.linalg.solve(factor, both.T).T
        values |= {"z": {"z_CL_V": z}, "deviation": {"eta_CL_V": both}}[form]
        values["cholesky_CL_V"] = FACTOR
    values |= NUMBERS | {f"omega_{name}": each for name, each in OMEGA.items()}
    return {name: jnp.asarray(each, float) for name, each in values.items()}


def prior_of_numbers() -> float:
    """The log prior of NUMBERS and OMEGA, by scipy."""
    norm = scipy.stats.norm
    return float(
        norm(np.log(3.0), np.log(1.6)).logpdf(1.1)
        + norm(1.0, 2.0).logpdf(0.4)
        + norm(np.log(0.6 / 0.4), 1.0).logpdf(0.3)
        + norm(5.0, 3.0).logpdf(4.0)
        + norm(0.0, 1.0).logpdf(0.02)
        + sum(scipy.stats.halfnorm().logpdf(each) for each in OMEGA.values())
    )


@pytest.mark.parametrize("form", ["z", "deviation", "centred"])
def test_every_form_is_one_density(form: Form) -> None:
    omega = {name: HALF for name in OMEGA}
    got, _ = log_density(sample, (population(omega, form),), {}, sites_of(form, False))
    want = prior_of_numbers()
    for name, each in ETA.items():
        want += scipy.stats.norm(0, OMEGA[name]).logpdf(each).sum()
        # |d eta / d z| = omega, once per patient; the other two have none
        want += 3 * np.log(OMEGA[name]) if form == "z" else 0.0
    assert float(got) == pytest.approx(want, rel=TIGHT)


@pytest.mark.parametrize("form", ["z", "deviation"])
def test_every_form_of_a_correlated_block_is_one_density(form: Form) -> None:
    omega = {name: HALF for name in OMEGA} | {"correlation": LKJ}
    got, _ = log_density(sample, (population(omega, form),), {}, sites_of(form, True))
    sd = np.diag([OMEGA["CL"], OMEGA["V"]])
    covariance = sd @ FACTOR @ FACTOR.T @ sd
    both = np.stack([ETA["CL"], ETA["V"]], 1)
    # LKJ(2) of two: the correlation r = L_21 has density 3/4 (1 - r^2)
    want = prior_of_numbers() + np.log(0.75 * (1 - 0.6**2))
    want += scipy.stats.multivariate_normal(np.zeros(2), covariance).logpdf(both).sum()
    want += scipy.stats.norm(0, OMEGA["F"]).logpdf(ETA["F"]).sum()
    if form == "z":
        want += 3 * (0.5 * np.linalg.slogdet(covariance)[1] + np.log(OMEGA["F"]))
    assert float(got) == pytest.approx(want, rel=TIGHT)


@pytest.mark.parametrize("joint", [False, True])
def test_every_form_gives_the_same_parameters(joint: bool) -> None:
    forms: list[Form] = ["z", "deviation"] if joint else ["z", "deviation", "centred"]
    omega = {name: HALF for name in OMEGA} | ({"correlation": LKJ} if joint else {})
    for form in forms:
        given = handlers.substitute(sample, sites_of(form, joint))
        values = given(population(omega, form))
        wt = WT[:, 0]
        want = {
            "CL": np.exp(1.1 + ETA["CL"]) * (wt / 70) ** 0.75,
            "V": np.exp(0.4 + ETA["V"]),
            "F": 1 / (1 + np.exp(-0.3 - ETA["F"])),
            "E0": 4.0 * (1 + 0.02 * (wt - 70)),
        }
        for name, each in want.items():
            np.testing.assert_allclose(values[name], each, rtol=TIGHT)


def test_only_what_varies_has_an_interval_axis() -> None:
    chosen = population({"CL": HALF}, varying=frozenset({"WT"}))
    values = individual_values(chosen, NUMBERS_ARRAYS, {}, COVARIATES, PATIENTS)
    assert {name: value.shape for name, value in values.items()} == {
        "CL": (3, 2),
        "V": (3,),
        "F": (3,),
        "E0": (3, 2),
    }
    np.testing.assert_allclose(
        values["CL"], np.exp(1.1) * (WT / 70) ** 0.75, rtol=TIGHT
    )


NUMBERS_ARRAYS = {name: jnp.asarray(value) for name, value in NUMBERS.items()}


def test_fixed_and_column_are_taken_as_they_are() -> None:
    chosen = population({}, V={"fixed": 0.0}, F={"column": "WT"})
    values = individual_values(chosen, NUMBERS_ARRAYS, {}, COVARIATES, PATIENTS)
    np.testing.assert_array_equal(values["V"], np.zeros(3))
    np.testing.assert_array_equal(values["F"], WT[:, 0])


def test_a_column_carries_a_random_effect() -> None:
    chosen = population({"V": HALF}, V={"column": "WT"})
    etas = {"V": jnp.asarray(ETA["V"])}
    values = individual_values(chosen, NUMBERS_ARRAYS, etas, COVARIATES, PATIENTS)
    np.testing.assert_allclose(values["V"], WT[:, 0] * np.exp(ETA["V"]), rtol=TIGHT)


def test_the_factor_acts_before_an_additive_eta() -> None:
    """On the identity scale: p = theta (1 + b (x - r)) + eta."""
    chosen = population({"E0": HALF})
    etas = {"E0": jnp.array([1.0, 2.0, 3.0])}
    values = individual_values(chosen, NUMBERS_ARRAYS, etas, COVARIATES, PATIENTS)
    want = 4.0 * (1 + 0.02 * (WT[:, 0] - 70)) + [1.0, 2.0, 3.0]
    np.testing.assert_allclose(values["E0"], want, rtol=TIGHT)


def test_subjects_of_one_patient_share_its_eta() -> None:
    chosen = population({"V": HALF}, "deviation")
    index = jnp.array([1, 0, 1])
    given = handlers.substitute(
        handlers.seed(sample_individuals, jax.random.key(0)),
        {"eta_V": jnp.array([0.1, 0.9]), "theta_V": jnp.asarray(0.0)},
    )
    values = given(chosen, COVARIATES, 2, index)
    np.testing.assert_allclose(values["V"], np.exp([0.9, 0.1, 0.9]), rtol=TIGHT)


def test_an_omega_read_from_a_column() -> None:
    chosen = population({"V": {"column": "WT"}}, "z")
    given = handlers.substitute(
        handlers.seed(sample, jax.random.key(0)),
        {"z_V": jnp.array([0.1, 0.0, -0.1]), "theta_V": jnp.asarray(0.0)},
    )
    want = np.exp(WT[:, 0] * [0.1, 0.0, -0.1])
    np.testing.assert_allclose(given(chosen)["V"], want, rtol=TIGHT)


def test_names_of_sites_and_of_what_stands_beside_them() -> None:
    omega = {name: HALF for name in OMEGA} | {"correlation": LKJ}
    with handlers.trace() as trace:
        handlers.seed(sample, jax.random.key(0))(population(omega, "z"))
    kinds = {"sample": set(), "deterministic": set(), "plate": set()}
    for name, site in trace.items():
        kinds[site["type"]].add(name)
    assert kinds["sample"] == {
        *(f"theta_{name}" for name in SCALES),
        *(f"omega_{name}" for name in OMEGA),
        *("beta_E0_WT", "cholesky_CL_V", "z_CL_V", "z_F"),
    }
    assert kinds["deterministic"] == {
        *(f"{name}_pop" for name in SCALES),
        *(f"eta_{name}" for name in OMEGA),
        *("corr_CL_V", "CL", "V", "F", "E0"),
    }


def test_the_gradient_where_subjects_share_a_patient() -> None:
    """A mean that two subjects share is one mean; central differences agree."""
    index = jnp.array([0, 1, 1])

    def total(mean: jax.Array) -> jax.Array:
        shared = Patients(2, index).gather(jnp.stack([mean, 2 * mean, 2 * mean]))
        return jnp.sum(shared**2)

    step = 1e-5  # a quadratic: the difference is exact up to rounding
    at = jnp.asarray(0.7)
    want = (total(at + step) - total(at - step)) / (2 * step)
    assert float(jax.grad(total)(at)) == pytest.approx(float(want), rel=1e-8)


def test_a_padding_subject_is_left_out() -> None:
    index = jnp.array([0, 1, 2])  # patient 2 of 2 does not exist
    shared = Patients(2, index).gather(jnp.array([1.0, 2.0, jnp.nan]))
    np.testing.assert_array_equal(shared, [1.0, 2.0])
