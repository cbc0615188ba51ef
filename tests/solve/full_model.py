"""The full model at the prior medians, for the three patients of the stored runs."""

from pathlib import Path

from imak_pkpd.data import DataBlock
from imak_pkpd.data.read import read_dataset
from imak_pkpd.data.schedule import Schedule
from imak_pkpd.model import AbstractModel, parameters
from imak_pkpd.model.load import load_model
from tests.solve.exact import leaves, schedule_of

PATIENTS = {  # donor unrelated, tumour CD20+, times the dose, log10 of the tumour
    "haplo": (0.0, 0.0, 1.0, None),
    "unrelated_cd20_rituximab": (1.0, 1.0, 1.0, None),
    "haplo_dose_x3_low_burden": (0.0, 0.0, 3.0, 8.5),
}
WEIGHT, BSA = 70.0, 1.8  # kg, m2
INPUTS = {1: "cyclophosphamide", 2: "cells", 3: "il2", 4: "rituximab"}


def full_kind(root: Path) -> type[AbstractModel]:
    made = load_model(root / "models" / "imak_full.py")
    assert issubclass(made, AbstractModel)
    return made


def three_patients(
    kind: type[AbstractModel], medians: dict[str, float]
) -> AbstractModel:
    """The prior medians of the three patients."""
    unrelated, cd20, _, burden = zip(*PATIENTS.values(), strict=True)
    columns = {
        name: [value] * len(PATIENTS)
        for name, value in medians.items()
        if name in parameters(kind)
    }
    columns |= {"unrelated": list(unrelated), "cd20": list(cd20)}
    usual = medians["tum_log10B0"]
    columns["tum_log10B0"] = [usual if b is None else b for b in burden]
    assert set(columns) == set(parameters(kind))
    return kind(**leaves(columns))


def their_schedule(
    kind: type[AbstractModel],
    medians: dict[str, float],
    days: dict[str, list[float]],
    folder: Path,
) -> Schedule:
    """Cyclophosphamide at -1 d, cells at 0, IL-2 on days 0-4; samples on `days`."""
    rows = ["ID,TIME,EVID,AMT,CMT,DVID,DV"]
    usual = WEIGHT * medians["dose_kg"]
    for name, (_, cd20, times, _) in PATIENTS.items():
        doses = [(-1.0, 1000 * BSA, 1), (0.0, times * usual, 2)]
        doses += [(float(day), 6 * BSA, 3) for day in range(5)]
        doses += [(0.0, 375 * BSA, 4)] * int(cd20)
        records = [(t, f"{name},{t},1,{amount},{cmt},.,.") for t, amount, cmt in doses]
        records += [(t, f"{name},{t},0,.,.,1,1") for t in days[name]]
        rows += [text for _, text in sorted(records, key=lambda record: record[0])]
    (folder / "full.csv").write_text("\n".join(rows) + "\n")
    return read_schedule(kind, folder)


def read_schedule(kind: type[AbstractModel], folder: Path) -> Schedule:
    """The schedule of `full.csv` in a folder."""
    block = DataBlock(file=Path("full.csv"), time="day", inputs=INPUTS)
    return schedule_of(read_dataset(block, folder), kind, INPUTS)
