"""One patient's posterior, against a linear-Gaussian model that is solved on paper."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from imak_pkpd.decide.finished_run import read_finished
from imak_pkpd.decide.forecast import course, own_parameters
from imak_pkpd.decide.individual_posterior import (
    IndividualPosterior,
    Method,
    individual_posterior,
)
from imak_pkpd.decide.new_patients import NewPatients, new_patients
from tests.decide.made_run import (
    LINE_DATA,
    LINE_FIT,
    LINE_MODEL,
    line_draws,
    line_run,
    made_run,
)

DRAWS = 512  # all of them are used, so the mixture on paper is the very same
TIMES = np.array([0.0, 1.0, 2.0, 3.0])
LEVELS = np.array([11.2, 9.9, 9.4, 8.6])


class Moments(NamedTuple):
    mean: np.ndarray
    sd: np.ndarray


def on_paper(
    draws: Mapping[str, np.ndarray], times: np.ndarray, levels: np.ndarray
) -> Moments:
    """Of (a, b): a mixture over draws of conjugate normals (Lindley & Smith 1972)."""
    design = np.stack([np.ones_like(times), times], 1)
    log_weight, means, seconds = [], [], []
    for j in range(len(draws["theta_a"])):
        theta = np.array([draws["theta_a"][j], draws["theta_b"][j]])
        sd = np.array([draws["omega_a"][j], draws["omega_b"][j]])
        r = draws["corr_a_b"][j]
        omega = np.outer(sd, sd) * np.array([[1.0, r], [r, 1.0]])
        noise = draws["level_sigma"][j] ** 2 * np.eye(len(times))
        total = design @ omega @ design.T + noise
        gain = omega @ design.T @ np.linalg.inv(total)
        mean = theta + gain @ (levels - design @ theta)
        log_weight.append(multivariate_normal(design @ theta, total).logpdf(levels))
        means.append(mean)
        seconds.append(omega - gain @ design @ omega + np.outer(mean, mean))
    weight = np.exp(np.array(log_weight) - logsumexp(log_weight))
    mean = weight @ np.array(means)
    second = np.tensordot(weight, np.array(seconds), 1)
    return Moments(mean, np.sqrt(np.diag(second) - mean**2))


def asked(
    folder: Path, draws: Mapping[str, np.ndarray], times: np.ndarray, levels: np.ndarray
) -> NewPatients:
    rows = ["7,0,2,."]  # so that a patient without a sample is there too
    rows += [f"7,{t:g},0,{x:.6f}" for t, x in zip(times, levels, strict=True)]
    patient = folder / "new.csv"
    patient.write_text("\n".join(["ID,TIME,EVID,DV", *rows]) + "\n")
    return new_patients(read_finished(line_run(folder, draws)), patient, 9.0)


def answered(made: NewPatients, method: Method) -> tuple[IndividualPosterior, Moments]:
    (patient,) = made.patients
    found = individual_posterior(patient, made.population, 3, method)
    values = own_parameters(found.patient.ahead, found.sites)
    both = np.stack([values["a"], values["b"]], -1)
    return found, Moments(both.mean(0), both.std(0))


def agrees(found: Moments, true: Moments, draws: float) -> None:
    """Within four standard errors of so many independent draws; that of an SD is
    SD/sqrt(2 n)."""
    shift = np.abs(found.mean - true.mean) / true.sd
    assert (shift < 4 / np.sqrt(draws)).all(), shift
    ratio = np.abs(found.sd / true.sd - 1.0)
    assert (ratio < 4 / np.sqrt(2 * draws)).all(), ratio


def test_weights_meet_the_closed_form(tmp_path: Path) -> None:
    draws = line_draws(DRAWS, sigma=0.5)
    found, moments = answered(asked(tmp_path, draws, TIMES, LEVELS), "auto")
    said = found.sampling
    assert said.method == "importance"
    assert said.reliable
    assert (said.population_draws, said.points, said.failed_solves) == (512, 32768, 0)
    agrees(moments, on_paper(draws, TIMES, LEVELS), said.effective_draws)


def test_samples_that_say_much_are_tempered(tmp_path: Path) -> None:
    """12 samples 50 times as exact as patients differ: a few points of 32,768 fit."""
    times = np.linspace(0.0, 5.0, 12)
    draws = line_draws(DRAWS, sigma=0.02)
    levels = 11.7 - 0.6 * times + 0.02 * np.cos(7 * times)
    found, moments = answered(asked(tmp_path, draws, times, levels), "auto")
    said = found.sampling
    assert said.method == "tempered"
    assert said.k_hat > 0.7 or said.ess < 100
    assert said.rhat is not None
    assert said.reliable
    # of 1,024 particles that share ancestors: a quarter is taken for independent
    agrees(moments, on_paper(draws, times, levels), 256)


@pytest.mark.parametrize("method", ["tempered", "nuts"])
def test_other_methods_meet_the_closed_form(tmp_path: Path, method: Method) -> None:
    """NUTS samples a normal in place of the draws, which here are of a normal."""
    draws = line_draws(DRAWS, sigma=0.5)
    found, moments = answered(asked(tmp_path, draws, TIMES, LEVELS), method)
    assert found.sampling.method == method
    assert found.sampling.reliable
    agrees(moments, on_paper(draws, TIMES, LEVELS), 256)
    if method == "nuts":
        normal = found.sampling.normal
        assert normal is not None
        # draws of a normal: 1.63/sqrt(n) is exceeded once in 100 (Kolmogorov)
        assert normal.distance < 1.63 / np.sqrt(DRAWS)


def test_a_population_that_is_not_normal_is_said(tmp_path: Path) -> None:
    draws = line_draws(DRAWS, sigma=0.5)
    # an exponential is 0.16 away from the normal of its mean and SD
    draws["theta_b"] = -1.0 + 0.1 * np.random.default_rng(2).exponential(size=DRAWS)
    made = asked(tmp_path, draws, TIMES, LEVELS)
    normal = answered(made, "nuts")[0].sampling.normal
    assert normal is not None
    assert normal.of == "theta_b"
    assert normal.distance > 0.1


def test_each_sample_sharpens_the_forecast(tmp_path: Path) -> None:
    """Samples on the line itself: less than 5 % a sample would be Monte Carlo error."""
    draws, widths = line_draws(DRAWS, sigma=0.3), []
    for number in range(5):
        folder = tmp_path / str(number)
        folder.mkdir()
        made = asked(folder, draws, TIMES[:number], 11.0 - 0.8 * TIMES[:number])
        found, _ = answered(made, "auto")
        ahead = course(found.patient.ahead, found.sites)["level"]
        widths.append(np.subtract(*np.quantile(ahead[:, -1], [0.95, 0.05])))
    assert (np.diff(np.log(widths)) < -0.05).all(), widths


def test_unreliable_weights_are_said_not_hidden(tmp_path: Path) -> None:
    times = np.linspace(0.0, 5.0, 12)
    draws = line_draws(DRAWS, sigma=0.01)
    made = asked(tmp_path, draws, times, 11.7 - 0.6 * times)
    assert not answered(made, "importance")[0].sampling.reliable


def test_samples_that_no_draw_explains(tmp_path: Path) -> None:
    """An assay that reports nothing below zero (M4) cannot have reported -3."""
    fit = LINE_FIT.replace('error = "additive"', 'error = "additive"\ncensoring = "M4"')
    draws = line_draws(64, sigma=0.5)
    run = made_run(tmp_path, LINE_MODEL, fit, LINE_DATA, draws)
    file = tmp_path / "new.csv"
    file.write_text("ID,TIME,EVID,DV\n7,0,0,-3.0\n")
    made = new_patients(read_finished(run), file, 9.0)
    with pytest.raises(ValueError, match="patient 7: the samples are impossible"):
        answered(made, "auto")
