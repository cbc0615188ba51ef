"""The records of one patient with further doses: what `next_dose` chooses between.

Every option is a subject of its own with the patient's records, so that what earlier
doses left behind (cells, killers that remember the donor) is there when it is given.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from imak_pkpd.choice import AmountChoice
from imak_pkpd.data import Dataset
from imak_pkpd.data.schedule import build_schedule
from imak_pkpd.decide.option import Further, NotForOneError, Option
from imak_pkpd.evidence import DoseDesign
from imak_pkpd.fit.problem import Problem, data_block
from imak_pkpd.population.refusal import hint

AS_BEFORE = ("RATE", "DUR")  # of the patient's last dose of that name
NONE = {"ADDL": 0.0, "II": 0.0, "SS": 0.0, "CENS": 0.0, "CENSOR": 0.0}
ABSENT = ("DV", "DVID", "LIMIT", "LLOQ")


def with_options(
    problem: Problem,
    name: str,
    options: Sequence[Option],
    choices: Mapping[str, AmountChoice],
    designs: Mapping[str, DoseDesign],
) -> Problem:
    """The problem whose subjects are the options of patient `name`, in their order.

    Raises a `ValueError` when a time is before the last record of the patient, and
    when the file lacks what an amount is counted per.
    """
    rows = np.flatnonzero(np.array(problem.dataset.subject) == name)
    _refuse_early(problem.dataset, rows, name, options)
    made = _Made(problem, rows, choices, designs)
    dataset = _joined(problem.dataset, [made.option(each) for each in options])
    block = data_block(problem.spec)
    doses = tuple(problem.model.doses)
    schedule = build_schedule(dataset, block.inputs, block.covariates, doses)
    return replace(problem, dataset=dataset, schedule=schedule)


class _Rows(NamedTuple):
    """Places in the data set, and what is written anew of each of its columns."""

    place: np.ndarray
    changed: Mapping[str, np.ndarray]


class _Made(NamedTuple):
    problem: Problem
    rows: np.ndarray
    choices: Mapping[str, AmountChoice]
    designs: Mapping[str, DoseDesign]

    def option(self, option: Option) -> _Rows:
        """The patient's rows, and one more for each dose."""
        there = self.problem.dataset
        place = np.append(self.rows, np.repeat(self.rows[-1:], len(option.doses)))
        changed = {name: value[place] for name, value in there.records.items()}
        for more, dose in enumerate(option.doses, len(self.rows)):
            for item, value in self._dose(dose).items():
                changed[item][more] = value
        return _Rows(place, changed)

    def _dose(self, dose: Further) -> dict[str, float]:
        there, code = self.problem.dataset.records, self._code(dose.name)
        given = (there["EVID"][self.rows] == 1) & (there["CMT"][self.rows] == code)
        last = self.rows[given][-1:]
        before = {n: float(there[n][last[0]]) if len(last) else 0.0 for n in AS_BEFORE}
        return {
            **dict.fromkeys(ABSENT, np.nan),
            **NONE,
            **before,
            "TIME": dose.time,
            "EVID": 1.0,
            "MDV": 1.0,
            "CMT": code,
            "AMT": self._whole(dose),
            "OUTPUT": -1.0,
        }

    def _code(self, name: str) -> float:
        """The CMT number of a dose."""
        inputs = data_block(self.problem.spec).inputs
        known = {dose: number for number, dose in inputs.items()}
        if name not in known:
            raise NotForOneError(
                f"[decision] has '{name}'{hint(name, known)}, but [data] inputs "
                "has no CMT for it: add one"
            )
        return float(known[name])

    def _whole(self, dose: Further) -> float:
        """What this patient would get, no more than the cap."""
        name, amount, choice = dose.name, dose.amount, self.choices.get(dose.name)
        per, cap = self.designs[name].per, None if choice is None else choice.cap
        if per is not None:
            column = self.problem.dataset.covariates.get(per)
            if column is None:
                raise NotForOneError(
                    f"the amount of {name} is counted per {per}, but the patient file "
                    f"has no such covariate: add {per} to [data] covariates"
                )
            amount = amount * float(column[self.rows[-1]])
        return dose.part * (amount if cap is None else min(amount, cap))


def _joined(dataset: Dataset, parts: Sequence[_Rows]) -> Dataset:
    """All options, each a subject named by its place."""
    place = np.concatenate([part.place for part in parts])
    return replace(
        dataset,
        findings=(),
        line=dataset.line[place],
        subject=tuple(
            str(number) for number, part in enumerate(parts) for _ in part.place
        ),
        records={
            name: np.concatenate([part.changed[name] for part in parts])
            for name in dataset.records
        },
        covariates={name: v[place] for name, v in dataset.covariates.items()},
    )


def _refuse_early(
    dataset: Dataset, rows: np.ndarray, name: str, options: Sequence[Option]
) -> None:
    last = float(dataset.records["TIME"][rows[-1]])
    for option in options:
        if option.time is not None and option.time < last:
            raise ValueError(
                f"--at: got {option.time:g}, but the last record of patient {name} is "
                f"at {last:g} ({dataset.path}:{dataset.line[rows[-1]]}): give a later "
                "time"
            )
