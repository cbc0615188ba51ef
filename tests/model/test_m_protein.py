"""The M-protein after a sudden remission, against its closed form."""

from pathlib import Path

import numpy as np
import pytest

from imak_pkpd.data import DataBlock
from imak_pkpd.data.read import read_dataset
from imak_pkpd.model.load import load_model
from imak_pkpd.solve.mesh import build_mesh, declared_dosing
from imak_pkpd.solve.stepper import Adaptive
from imak_pkpd.solve.trajectory import predict
from tests.solve.exact import leaves, schedule_of

SECRETED, CLEARED, LEFT = 3e-11, np.log(2.0) / 21.0, 1e9
DAYS = (0.0, 10.0, 31.0, 52.0, 115.0)


def test_it_follows_the_tumour_with_the_lag_of_its_clearance(
    root: Path, tmp_path: Path
) -> None:
    """30 g/L at 1e12 cells; from day 10 on 1e9 cells are left."""
    lines = [f"1,{day},1,{1e12 if day < 10.0 else LEFT}" for day in DAYS]
    (tmp_path / "seen.csv").write_text("\n".join(["ID,TIME,DV,tumour", *lines]) + "\n")
    kind, rules = load_model(root / "models/m_protein.py"), {"tumour": "locf"}
    block = DataBlock.model_validate(
        {"file": "seen.csv", "time": "day", "covariates": rules}
    )
    schedule = schedule_of(read_dataset(block, tmp_path), kind, {}, rules)
    model = kind(**leaves({"mpr_s": [SECRETED], "mpr_k": [CLEARED]}))
    mesh = build_mesh(schedule, declared_dosing(kind))
    found = predict(model, schedule, mesh, Adaptive(1e-10, 1e-12))
    since = np.maximum(np.array(DAYS) - 10.0, 0.0)
    rest = SECRETED * LEFT
    expected = rest + (30.0 - rest) * np.exp(-CLEARED * since)
    got = np.asarray(found.outputs["m_protein"])[0, : len(DAYS)]
    assert got == pytest.approx(expected, rel=1e-8)  # ten times the solver's tolerance
    assert got[2] == pytest.approx(15.0, rel=1e-2)  # one half-life after the remission
