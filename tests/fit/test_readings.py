"""Who counts as solved: states and estimands are numbers."""

from pathlib import Path

import numpy as np

from imak_pkpd.fit.problem import read_model
from imak_pkpd.fit.spec import read_fit
from imak_pkpd.fit.virtual import median_sites, virtual_cohort
from tests.fit.decay import FIT, MODEL, write_decay

ROOT_OF = '"chance": jnp.sqrt(state.B - 30.0)'


def test_who_has_no_number_is_not_solved(tmp_path: Path) -> None:
    """The root of a burden that falls below 30: no number, though states are finite.

    Who that is follows from the burden's closed form; all their estimands are NaN.
    """
    path = write_decay(tmp_path, FIT)
    (tmp_path / "decay.py").write_text(MODEL.replace('"chance": self.p', ROOT_OF))
    spec = read_fit(path)
    cohort = virtual_cohort(spec, read_model(spec), "few")
    sites = median_sites(cohort)
    found = cohort.outcomes(sites, ("left", "hurt", "gone"))
    burden = 10.0 ** (2.0 + np.asarray(cohort.patients.normals)[:, 0])
    low = burden * np.exp(-0.2 * 10.0) < 30.0
    assert 0 < low.sum() < len(low)
    np.testing.assert_array_equal(found["failed"], low)
    np.testing.assert_array_equal(np.isnan(found["left"]), low)
    np.testing.assert_array_equal(np.isnan(found["hurt"]), low)
    np.testing.assert_array_equal(np.asarray(found["gone_outcome"]) == -1, low)
