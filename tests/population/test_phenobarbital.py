"""Covariates and etas of 59 neonates, against NONMEM's predictions (reference case)."""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from pydantic import TypeAdapter

from imak_pkpd.model import from_scale, to_scale
from imak_pkpd.population.covariate import CovariateBlock
from imak_pkpd.population.individual import individual_values
from imak_pkpd.population.mean import Population
from imak_pkpd.population.omega import OmegaBlock
from imak_pkpd.population.prior import ThetaBlock

WEIGHT = {"form": "power", "reference": 1.0, "exponent": {"fixed": 1.0}}
APGAR = {"form": "indicator", "below": 5.0, "effect": {"dist": "Normal"}}
LINES = {"CL": {"WT": WEIGHT}, "V": {"WT": WEIGHT, "APGR": APGAR}}
# NONMEM's FOCEI estimates of this case
ESTIMATES = {
    "theta_CL": np.log(0.00469555),
    "theta_V": np.log(0.984258),
    "beta_V_APGR": 0.15892,
}


def population() -> Population:
    free = ThetaBlock(median=1.0, gsd=2.0)
    half = {"dist": "HalfNormal", "scale": 0.5}
    return Population(
        scales={"CL": "log", "V": "log"},
        theta={"CL": free, "V": free},
        omega=OmegaBlock.model_validate({"CL": half, "V": half}),
        covariate=TypeAdapter(dict[str, dict[str, CovariateBlock]]).validate_python(
            LINES
        ),
        forms={"CL": "z", "V": "z"},
        to_scale=to_scale,
        from_scale=from_scale,
    )


def concentration(rows: pd.DataFrame, clearance: float, volume: float) -> np.ndarray:
    """C(t) at every row: the sum over earlier boluses of AMT/V exp(-CL/V (t - s))."""
    doses = rows[rows["AMT"] > 0]
    after = rows["TIME"].to_numpy()[:, None] - doses["TIME"].to_numpy()[None, :]
    left = np.exp(-clearance / volume * np.clip(after, 0, None)) * (after >= 0)
    return left @ doses["AMT"].to_numpy() / volume


@pytest.mark.parametrize(("column", "with_etas"), [("PRED", False), ("CIPREDI", True)])
def test_predictions_of_nonmem(cases: Path, column: str, with_etas: bool) -> None:
    folder = cases / "phenobarbital"
    data = pd.read_csv(folder / "data.csv")
    first = data.groupby("ID").first()
    etas = pd.read_csv(folder / "etas.csv").set_index("ID").loc[first.index]
    by_name = {"CL": jnp.asarray(etas["ETA(1)"]), "V": jnp.asarray(etas["ETA(2)"])}
    values = individual_values(
        population(),
        {name: jnp.asarray(value) for name, value in ESTIMATES.items()},
        by_name if with_etas else {},
        {name: jnp.asarray(first[name], float)[:, None] for name in ("WT", "APGR")},
        jnp.arange(len(first)),
    )
    got = np.concatenate(
        [
            concentration(rows, float(values["CL"][n]), float(values["V"][n]))
            for n, (_, rows) in enumerate(data.groupby("ID"))
        ]
    )
    want = pd.read_csv(folder / "expected_pred.csv")
    # the case's limit: NONMEM prints five digits
    np.testing.assert_allclose(got, want[column].to_numpy(), rtol=2e-4)
