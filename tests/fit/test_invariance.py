"""Padding, subject order and the number of devices change nothing that is computed.

Compared with 1e-12 of the sum of the absolute terms, here two (more would only allow
more): what prior and likelihood give to the value, and to each coordinate's gradient.
"""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imak_pkpd.data.schedule import Schedule
from imak_pkpd.fit.target import prior_draw
from imak_pkpd.solve.mesh import Mesh
from tests.fit.differences import prior_potential
from tests.fit.trials import (
    SMALL,
    TRIALS,
    Subject,
    Text,
    Trial,
    given,
    in_time,
    make_trial,
    mesh_of,
    problem_of,
    reset,
    seen,
)

LIMIT = 1e-12
ROOT = Path(__file__).parents[2]

small = [pytest.param("small")]
whole = [pytest.param(name, marks=pytest.mark.slow) for name in TRIALS]

LONG: Subject = in_time(  # more of everything: its only use is to be left out again
    *(given(3.0 * k, 10.0, 1 + k % 2, RATE=5.0 * (k % 3)) for k in range(14)),
    *(reset(11.0 + k) for k in range(3)),
    *seen(*((1.3 * k, 1.0) for k in range(31))),
)
LONG_STEADY: Subject = in_time(
    *LONG, given(15.5, 10.0, SS=1, II=12.0), given(16.5, 10.0, SS=2, II=12.0),
    given(17.5, 10.0, SS=1, II=24.0),
)  # fmt: skip


class Terms(NamedTuple):
    """Value and gradient of the log-density at one position (a draw from the prior),
    and the sums of their absolute terms."""

    position: np.ndarray
    value: float
    gradient: np.ndarray
    size: float
    sizes: np.ndarray


@pytest.fixture(scope="module", params=small + whole)
def trial(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Trial:
    text, step = (SMALL | TRIALS)[request.param]
    return make_trial(text, tmp_path_factory.mktemp(request.param), step)


@pytest.fixture(scope="module")
def base(trial: Trial) -> Terms:
    """The log-density of the trial as it is, and how large its terms are."""
    position = prior_draw(trial.density, jax.random.key(0), trial.args)
    value, gradient = map(np.asarray, trial.density.evaluate(position, trial.args))
    prior, slope = jax.jit(
        jax.value_and_grad(lambda x, args: prior_potential(trial.density, x, args))
    )(position, trial.args)
    assert np.isfinite(value)
    return Terms(
        position,
        float(value),
        gradient,
        float(abs(prior) + abs(value - prior)),
        np.abs(slope) + np.abs(gradient - slope),
    )


def assert_same(base: Terms, value: float, gradient: np.ndarray) -> None:
    assert abs(value - base.value) <= LIMIT * base.size
    np.testing.assert_array_less(
        np.abs(np.asarray(gradient) - base.gradient), LIMIT * base.sizes + 1e-300
    )


def test_longer_padding_is_invisible(
    trial: Trial, base: Terms, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Every array gets longer: the padding of a data set with one subject more."""
    name = request.node.callspec.params["trial"]
    text, step = (SMALL | TRIALS)[name]
    long = LONG if name == "small" else LONG_STEADY
    if name == "covariate":
        long = [
            {**row, "CMT": 1, "WT": 50.0 + i, "SEX": "F", "AGE": 44.0}
            for i, row in enumerate(LONG_STEADY)
        ]
    wider = problem_of(Text(text.fit, [*text.subjects, long]), tmp_path)
    padded = first(
        (wider.schedule, mesh_of(wider, step)), trial.problem.schedule.subjects
    )
    before, after = (jax.tree.leaves(args) for args in (trial.args, padded))
    longer = [a.shape > b.shape for a, b in zip(after, before, strict=True)]
    assert sum(longer) > len(longer) / 2
    assert_same(base, *trial.density.evaluate(base.position, padded))


def first(args: tuple[Schedule, Mesh], subjects: int) -> tuple[Schedule, Mesh]:
    """The first subjects of a data set, padded as all of it is."""
    schedule, mesh = jax.tree.map(lambda leaf: jnp.asarray(leaf)[:subjects], args)
    return replace(schedule, patients=subjects), mesh


def test_the_order_of_subjects_is_invisible(trial: Trial, base: Terms) -> None:
    """Another order in the file, and the etas of each subject moved with it."""
    subjects = trial.problem.schedule.subjects
    order = np.roll(np.arange(subjects), 1)
    schedule, mesh = jax.tree.map(lambda leaf: leaf[order], trial.args)
    schedule = eqx.tree_at(lambda s: s.patient, schedule, jnp.arange(subjects))
    moved = np.arange(trial.density.size)
    for name, shape in trial.density.shapes:
        if name.startswith(("eta_", "z_", "phi_")):
            place = moved[trial.density.sites[name]].reshape(shape)
            moved[trial.density.sites[name]] = place[order].ravel()
    position = base.position
    value, gradient = trial.density.evaluate(position[moved], (schedule, mesh))
    back = np.empty_like(position)
    back[moved] = gradient
    assert_same(base, float(value), back)


def test_a_row_knows_its_patient(trial: Trial, base: Terms) -> None:
    """Rows in another order with `patient` in the same one: nothing else moves."""
    order = np.arange(trial.problem.schedule.subjects)[::-1]
    args = jax.tree.map(lambda leaf: leaf[order], trial.args)
    assert_same(base, *trial.density.evaluate(base.position, args))


def test_the_number_of_devices_is_invisible(
    trial: Trial, base: Terms, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """2 and 4 devices in a process of its own; subjects are filled up to fit."""
    name = request.node.callspec.params["trial"]
    np.save(tmp_path / "position.npy", base.position)
    flags = "--xla_force_host_platform_device_count=4"
    command = [sys.executable, str(Path(__file__).with_name("sharded_density.py"))]
    done = subprocess.run(
        [*command, str(tmp_path), name],
        cwd=ROOT,
        env={**os.environ, "XLA_FLAGS": flags, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    answers = json.loads(done.stdout)
    subjects = trial.problem.schedule.subjects
    assert [answers[n]["devices"] for n in "24"] == [2, 4]
    assert [answers[n]["rows"] for n in "24"] == [
        subjects + subjects % 2,
        subjects + -subjects % 4,
    ]
    for answer in answers.values():
        assert_same(base, answer["value"], np.array(answer["gradient"]))
