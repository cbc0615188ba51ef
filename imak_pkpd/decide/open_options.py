"""What [decision] leaves open for one patient: what its designs give after the records.

The doses that the patient had are those of the file, whatever was planned; times of
designs are TIMEs of the file. A dose that [decision] does not choose is given where
the file has it.
"""

from collections.abc import Iterator, Mapping

import numpy as np

from imak_pkpd.choice import DecisionBlock
from imak_pkpd.decide.designs import Layout, laid_out, layouts, shown_amounts
from imak_pkpd.decide.new_patients import NewPatient
from imak_pkpd.decide.option import Further, NotForOneError, Option
from imak_pkpd.evidence import CohortBlock, DoseDesign
from imak_pkpd.fit.spec import FitSpec


def open_options(
    spec: FitSpec, block: DecisionBlock, patient: NewPatient
) -> tuple[Option, ...]:
    """The different remainders of all designs, in the order of the table.

    Raises a `NotForOneError` where a design does not say what one patient would get.
    """
    last, plain = last_record(patient), spec.cohort[block.cohort]
    found = [
        Option(tuple(sorted(_left(block, plain, layout, row, last), key=_time)))
        for layout in layouts(block)
        for row in (
            dict(zip(block.amount, amounts, strict=True))
            for amounts in shown_amounts(block).tolist()
        )
    ]
    return tuple(dict.fromkeys(found))


def last_record(patient: NewPatient) -> float:
    """The TIME of the last record of the file."""
    dataset = patient.records.problem.dataset
    return float(dataset.records["TIME"][np.array(dataset.subject) == patient.name][-1])


def _time(dose: Further) -> float:
    return dose.time


def _left(
    block: DecisionBlock,
    cohort: CohortBlock,
    layout: Layout,
    amounts: Mapping[str, float],
    last: float,
) -> Iterator[Further]:
    """The chosen doses of a design after the last record."""
    for name, dose in laid_out(cohort, block, layout).dose.items():
        chosen = (
            name in block.amount or name in block.times or dose.group in block.group
        )
        if not chosen or not _is_given(name, dose, layout):
            continue
        times = block.times.get(name)
        part = 1.0 / len(dose.times) if times is not None and times.split else 1.0
        amount = _amount(name, dose, amounts)
        yield from (Further(name, t, amount, part) for t in dose.times if t > last)


def _is_given(name: str, dose: DoseDesign, layout: Layout) -> bool:
    """Whether the patient is in the group of a dose: in all or in none of it."""
    if dose.group is None:
        return True
    share = layout.group.get(dose.group)
    if share not in (0.0, 1.0):
        said = "no share" if share is None else f"the share {share:g}"
        raise NotForOneError(
            f"[decision] has {said} of {dose.group}, whose patients get {name}: for "
            f"one patient write {dose.group} = [0.0, 1.0] in [decision.group]"
        )
    return share == 1.0


def _amount(name: str, dose: DoseDesign, amounts: Mapping[str, float]) -> float:
    """That of the design, else of the cohort."""
    if name in amounts:
        return amounts[name]
    if not isinstance(dose.amount, float | int):
        raise NotForOneError(
            f"the amount of {name} in the cohort has a prior: for one patient write "
            f"{name} in [decision.amount]"
        )
    return float(dose.amount)
