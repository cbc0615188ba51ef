"""Errors of sets of quasi-random patients, against a mean on paper."""

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import f as fisher

from imak_pkpd.fit.problem import read_model
from imak_pkpd.fit.scrambles import (
    SETS,
    Agreement,
    errors_of_points,
    refined_cohorts,
    scrambles_agree,
)
from imak_pkpd.fit.spec import FitSpec, read_fit
from imak_pkpd.fit.terms import Terms
from imak_pkpd.fit.virtual import Virtual, cohort_means, prior_sites, virtual_cohort
from tests.fit.published_peak import PUBLISHED_PEAK

FIT = PUBLISHED_PEAK.replace("refined = 8", "refined = 16").replace(
    "V1 = {{ median = 20.0, gsd = 1.5 }}",
    "V1 = {{ fixed = 20.0 }}\n[omega]\nV1 = {{ fixed = {omega} }}",
)
OTHERS = 24  # sets that the error is compared with


def cohort_of(root: Path, folder: Path, omega: float) -> tuple[FitSpec, Virtual]:
    (folder / "fit.toml").write_text(FIT.format(root=root, omega=omega))
    spec = read_fit(folder / "fit.toml")
    return spec, virtual_cohort(spec, read_model(spec), "trial")


def test_it_is_the_error_of_a_set(root: Path, tmp_path: Path) -> None:
    """The mean is dose/V · exp(ω²/2): the squared error of 24 other sets over the
    variance that is said lies between the 0.1 % and 99.9 % quantiles of Fisher's F."""
    spec, cohort = cohort_of(root, tmp_path, 0.4)
    sites = prior_sites(cohort, draws=64, number=1)
    only = {"trial": cohort}
    said = errors_of_points(spec, only, sites, lambda text: None)
    some = {name: value[:1] for name, value in sites.items()}
    others = (refined_cohorts(only, 100 + k)["trial"] for k in range(OTHERS))
    means = [cohort_means(each, some, ("top",))["top"][0] for each in others]
    exact = 100 / 20 * np.exp(0.4**2 / 2)
    ratio = np.mean((np.array(means) - exact) ** 2) / said["top (trial)"] ** 2
    low, high = fisher.ppf([0.001, 0.999], OTHERS, SETS - 1)
    assert low < ratio < high


def test_patients_who_are_alike_have_none(root: Path, tmp_path: Path) -> None:
    spec, cohort = cohort_of(root, tmp_path, 1e-12)
    sites = prior_sites(cohort, draws=64, number=1)
    said = errors_of_points(spec, {"trial": cohort}, sites, lambda text: None)
    assert said["top (trial)"] == pytest.approx(0.0, abs=1e-9)


def test_both_errors_count_at_either_set(root: Path, tmp_path: Path) -> None:
    """Four draws of equal weight: SD/√4 is the SE of a mean; the points' counts too."""
    spec, _ = cohort_of(root, tmp_path, 0.4)
    values = np.array([1.0, 2.0, 3.0, 4.0])
    none = np.zeros(4)
    first, second = (
        Terms({"trial": {"top": values + k}}, {"peak": none}, none) for k in (0.0, 0.5)
    )
    made = scrambles_agree(spec, (first, second), none, {"top (trial)": 0.3})
    of_draws = values.std() / 2
    want = np.sqrt(2 * of_draws**2 + 2 * 0.3**2)
    assert made["top (trial)"] == pytest.approx(Agreement(2.5, 3.0, 0.3, want))
