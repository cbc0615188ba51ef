"""Every shipped model with one patient and priors, for draws far out in them."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Float

from imak_pkpd.data import DataBlock
from imak_pkpd.data.read import read_dataset
from imak_pkpd.data.schedule import Schedule
from imak_pkpd.model import (
    AnyModel,
    ParameterInfo,
    from_scale,
    parameters,
    to_scale,
)
from tests.solve.exact import schedule_of

DRAWS, WIDER = 10_000, 1.5
WEAK = np.log(4.5)  # of the log: as in fit 001
KNOWN = np.log(1.5)  # of the log, where a shipped fit fixes the number
BETWEEN = 0.5  # SD of the log between patients, the scale of omega in fits 001 and 100
USUAL = {  # mg, L, h: textbook sizes, for models that no shipped fit uses
    **{"KA": 1.0, "V1": 20.0, "Q2": 5.0, "V2": 50.0, "Q3": 1.0, "V3": 150.0},
    **{"F": 0.5, "ALAG": 0.5},
    **{"mpr_s": 3e-11, "mpr_k": np.log(2.0) / 21.0},  # 30 g/L at 1e12 cells, IgG
}
OWN = {"mismatch": 0.5, "don_lag": 0.1}  # as rej_mhap; cells reach blood in hours
YEAR = tuple(np.unique(np.round(np.geomspace(0.02, 365.0, 40), 3)).tolist())
DAY = tuple(np.unique(np.round(np.geomspace(0.02, 48.0, 30), 3)).tolist())

Draws = dict[str, Float[np.ndarray, " draw"]]
Dose = tuple[float, int, float, float]
"""Time, CMT, amount, rate (0: a bolus)."""


@dataclass(frozen=True)
class Case:
    """One patient of a model.

    `outside` are columns of the data, by the time from which they hold; `clones` the
    states that count cells whose last one can die.
    """

    doses: tuple[Dose, ...]
    seen: tuple[float, ...]
    outside: Mapping[float, Mapping[str, float]] = field(default_factory=dict)
    clones: tuple[str, ...] = ()

    def schedule(self, model: type[AnyModel], folder: Path) -> Schedule:
        """Doses and dense samples, in order of time."""
        (folder / "wide.csv").write_text("\n".join(self.lines()) + "\n")
        inputs = dict(enumerate(model.doses, 1))
        rules: dict = dict.fromkeys(self.columns, "locf")
        block = DataBlock(
            file=Path("wide.csv"), time=model.time, inputs=inputs, covariates=rules
        )
        return schedule_of(read_dataset(block, folder), model, inputs, rules)

    @property
    def columns(self) -> list[str]:
        return sorted({name for held in self.outside.values() for name in held})

    def lines(self) -> Iterator[str]:
        """The patient file."""
        records = [
            (t, f"1,{amount},{n},{rate},.,.") for t, n, amount, rate in self.doses
        ]
        records += [(t, "0,.,.,.,1,1") for t in (*self.seen, *self.outside)]
        yield ",".join(["ID,TIME,EVID,AMT,CMT,RATE,DVID,DV", *self.columns])
        for time, record in sorted(records, key=lambda one: one[0]):
            since = max((t for t in self.outside if t <= time), default=None)
            held = (
                [] if since is None else [self.outside[since][n] for n in self.columns]
            )
            yield ",".join([f"1,{time},{record}", *map(str, held)])


ORAL = Case(((0.0, 1, 100.0, 0.0), (12.0, 1, 100.0, 0.0)), DAY)
IV = Case(((0.0, 1, 100.0, 0.0), (12.0, 1, 100.0, 50.0)), DAY)
CELLS = Case(((0.0, 1, 7e9, 0.0),), (-1.0, *YEAR), clones=("D",))
IL2_DAYS = tuple(float(day) for day in range(5))
KILLERS = ("nk", "alloreactive", "bystander", "killers")
KILLERS += ("cyclophosphamide", "rituximab")
CASES = {
    "theophylline": Case(((0.0, 1, 4.0, 0.0),), DAY),
    "phenobarbital": Case(
        tuple((12.0 * n, 1, 10.0, 0.0) for n in range(8)),
        tuple(96.0 + t for t in DAY),
        {0.0: {"WT": 1.2}},
    ),
    **dict.fromkeys(("pk1_oral", "pk1_oral_lag", "pk2_oral", "pk3_oral"), ORAL),
    **dict.fromkeys(("pk1_iv", "pk2_iv", "pk3_iv"), IV),
    "il2_subcutaneous": Case(tuple((day, 1, 10.8, 0.0) for day in IL2_DAYS), YEAR),
    "rituximab": Case(tuple((7.0 * n, 1, 675.0, 0.0) for n in range(4)), YEAR),
    "il2_culture": Case(((0.0, 1, 6000.0, 0.0),), (1.0, 2.0, 3.0, 4.0, 8.0)),
    "cyclophosphamide_lymphocytes": Case(
        ((-1.0, 1, 1800.0, 0.0), *((t, 2, 25.0, 50.0) for t in (-4.0, -3.0, -2.0))),
        YEAR,
    ),
    "imak_core": CELLS,
    "imak_teaching": CELLS,
    "imak_full": Case(
        (
            *((-1.0, 1, 1800.0, 0.0), (0.0, 2, 7e9, 0.0), (0.0, 4, 675.0, 0.0)),
            *((day, 3, 10.8, 0.0) for day in IL2_DAYS),
        ),
        YEAR,
        clones=("N", "DA", "DB"),
    ),
    "donor_kinetics": Case(  # a host that recovers, and rejects from the second week on
        ((0.0, 1, 7e9, 0.0),),
        YEAR,
        {
            -1.0: {"host": 2e11, "killers": 0.0, "il2": 0.0, "cyclophosphamide": 30.0},
            0.0: {"host": 1.5e11, "killers": 0.0, "il2": 30.0, "cyclophosphamide": 2.0},
            5.5: {"host": 2e11, "killers": 1e8, "il2": 0.0, "cyclophosphamide": 0.0},
            8.0: {"host": 2.5e11, "killers": 5e9, "il2": 0.0, "cyclophosphamide": 0.0},
            30.0: {"host": 3e11, "killers": 1e9, "il2": 0.0, "cyclophosphamide": 0.0},
        },
        clones=("N", "DA", "DB"),
    ),
    "m_protein": Case(
        (), YEAR, {0.0: {"tumour": 1e12}, 30.0: {"tumour": 0.0}, 200.0: {"tumour": 1e9}}
    ),
    "rejection": Case(
        (),
        YEAR,
        {
            -1.0: {"donor": 0.0, "alloreactive": 0.0, "cyclophosphamide": 30.0},
            0.0: {"donor": 3.5e9, "alloreactive": 3e7, "cyclophosphamide": 2.0},
            4.0: {"donor": 5e9, "alloreactive": 5e8, "cyclophosphamide": 0.0},
            12.0: {"donor": 1e6, "alloreactive": 1e5, "cyclophosphamide": 0.0},
            20.0: {"donor": 0.0, "alloreactive": 0.0, "cyclophosphamide": 0.0},
        },
    ),
    "tumour_kill": Case(
        (),
        YEAR,
        {
            time: dict(zip(KILLERS, values, strict=True))
            for time, values in {
                -1.0: (0.0, 0.0, 0.0, 0.0, 30.0, 0.0),
                0.0: (6e8, 3e7, 2.8e9, 0.0, 2.0, 200.0),
                4.0: (1e9, 5e8, 2e9, 1e9, 0.0, 120.0),
                12.0: (1e3, 1e5, 1e4, 1e10, 0.0, 40.0),
                40.0: (0.0, 0.0, 0.0, 2e9, 0.0, 0.0),
            }.items()
        },
    ),
}  # fmt: skip


class Prior(NamedTuple):
    """Normal on the scale of theta, and the SD between patients there."""

    place: float
    sd: float
    between: float


def wide_draws(model: type[AnyModel], fits: Path, shared: Path) -> Draws:
    """All parameters, priors `WIDER` times as wide and spread between patients added.

    Switches of the full model are 0 or 1.
    """
    rng, found, priors = np.random.default_rng(3), {}, stated_priors(fits, shared)
    for name, info in parameters(model).items():
        if name in ("unrelated", "cd20"):
            found[name] = rng.integers(0, 2, DRAWS).astype(float)
            continue
        prior = priors.get(name) or weak_prior(name, info)
        sd = np.hypot(WIDER * prior.sd, prior.between)
        there = jnp.asarray(prior.place + sd * rng.standard_normal(DRAWS))
        found[name] = np.asarray(from_scale(there, info.scale))
    return found


def stated_priors(fits: Path, shared: Path) -> dict[str, Prior]:
    """By name: the science's table, else fits 100, 001, 002 (all on the log)."""
    found = {}
    for name in ("002-phenobarbital", "001-theophylline", "100-imak-core"):
        stated = tomllib.loads((fits / f"{name}.toml").read_text())["theta"]
        found |= {parameter: _of_fit(line) for parameter, line in stated.items()}
    table = pd.read_csv(shared / "science" / "priors.csv").set_index("name")
    return found | {
        name: Prior(row.location, row.scale, row.bsv_omega)
        for name, row in table.iterrows()
    }


def _of_fit(line: Mapping[str, float]) -> Prior:
    middle, gsd = line.get("median", line.get("fixed")), line.get("gsd")
    return Prior(np.log(middle), np.log(gsd) if gsd else KNOWN, BETWEEN)


def weak_prior(name: str, info: ParameterInfo) -> Prior:
    """Of a parameter that no shipped fit has."""
    place = to_scale(jnp.asarray({**OWN, **USUAL}[name]), info.scale)
    return Prior(float(place), KNOWN if name in OWN else WEAK, BETWEEN)
