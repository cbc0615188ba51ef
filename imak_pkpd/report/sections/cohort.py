"""Virtual patients: how many, who they are, what they are given."""

from collections.abc import Iterator, Mapping
from typing import Any

from imak_pkpd.check.convergence import Finding
from imak_pkpd.check.virtual_patients import enough, virtual_of
from imak_pkpd.check.weighting import weighting_of
from imak_pkpd.report.blocks import Block, NotRun, Part, Prose, Section, Table
from imak_pkpd.report.facts import prior, shown
from imak_pkpd.report.run import MissingError, Run

ALONE = (
    "This run has no patient records. Its patients are virtual: points of an integral "
    "over a population, drawn by the fit file's design."
)
BESIDE = (
    "Beside the patients of the data there are virtual ones: points of an integral "
    "over the same population, drawn by the fit file's design. Published facts are "
    "compared with their means."
)
MOST_SHIFTS = 12
"""Parameters of the table, those that more virtual patients move most."""


def cohorts(run: Run) -> Iterator[Block]:
    """One row per cohort."""
    yield Prose(BESIDE if run.with_patients else ALONE)
    rows = [
        {
            "cohort": name,
            "patients at every draw": _size(run, "patients", name),
            "patients at every refined draw": _size(run, "refined_patients", name),
            "followed until": shown(block.get("horizon", "–")),
        }
        for name, block in _cohorts(run).items()
    ]
    yield Table("cohorts", "Cohorts of virtual patients; times as in the model.", rows)


def people(run: Run) -> Iterator[Block]:
    """Covariates and groups."""
    rows = [
        {"cohort": cohort, "column": name, "design": _design(one), "source": _of(one)}
        for cohort, block in _cohorts(run).items()
        for kind in ("covariate", "group")
        for name, one in block.get(kind, {}).items()
    ]
    if rows:
        yield Table("virtual-covariates", "Covariates and groups, by design.", rows)
    else:
        yield Prose("Virtual patients differ by their random effects alone.")


def doses(run: Run) -> Iterator[Block]:
    """What they are given; an amount that was not published has a prior."""
    rows = [
        {
            "cohort": cohort,
            "dose": name,
            "times": ", ".join(shown(time) for time in one.get("times", ())),
            "amount": _amount(one.get("amount")),
            "unit": run.facts.doses.get(name, ""),
            "per": one.get("per", "–"),
            "GSD between patients": shown(one.get("gsd", 1)),
            "only in group": one.get("group", "–"),
            "source": _of_dose(one),
        }
        for cohort, block in _cohorts(run).items()
        for name, one in block.get("dose", {}).items()
    ]
    if rows:
        yield Table("virtual-doses", "Doses of the virtual patients.", rows)
    else:
        yield Prose("Nothing is given to the virtual patients.")


def suffice(run: Run) -> Iterator[Block]:
    """How far more virtual patients would move the parameters."""
    said, checked = virtual_of(run.tree), enough(run.tree)
    match checked:
        case Finding():
            yield Prose(checked.message + ".", "pass" if checked.passed else "fail")
        case missing:
            yield NotRun(missing.check, missing.reason)
    shift = said.get("shift") or {}
    moved = sorted(shift.items(), key=lambda pair: -abs(pair[1]))[:MOST_SHIFTS]
    if not moved:
        raise MissingError("the run did not try more virtual patients")
    yield Table(
        "more-virtual-patients",
        "Shift of posterior means, in posterior SDs, with the refined cohorts in place "
        f"of those of the chains: {said['draws']} draws weighed by the facts, "
        f"{said['ess']:.0f} effective, k-hat {said['khat']:.2f}.",
        [{"parameter": name, "shift (SD)": each} for name, each in moved],
    )


def _cohorts(run: Run) -> Mapping[str, Mapping[str, Any]]:
    found = run.facts.tables.get("cohort", {})
    if not found:
        raise MissingError("the fit file is not in the run, or has no [cohort]")
    return found


def _size(run: Run, key: str, cohort: str) -> str:
    """Virtual patients as the run had them: the fit file may leave this out."""
    match {**weighting_of(run.tree), **virtual_of(run.tree)}.get(key):
        case dict() as by_cohort:
            return shown(by_cohort.get(cohort, "–"))
        case None:
            return "–"
        case number:
            return shown(number)


def _design(one: Mapping[str, Any]) -> str:
    """A covariate or a group in words."""
    match one:
        case {"share": share, "among": other}:
            return f"a share of {shown(share)} of those in {other}"
        case {"share": share}:
            return f"a share of {shown(share)}"
        case {"along": other, "median": median}:
            power = shown(one.get("exponent", 1))
            spread = shown(one.get("gsd", 1))
            return f"median {shown(median)} along {other}^{power}, GSD {spread}"
        case {"median": median}:
            return f"log-normal, median {shown(median)}, GSD {shown(one.get('gsd', 1))}"
    return "–"


def _amount(amount: object) -> str:
    """A number, or the prior of one that was not published."""
    match amount:
        case int() | float():
            return shown(amount)
    return prior(amount)


def _of(one: Mapping[str, Any]) -> str:
    return str(one.get("source") or "–")


def _of_dose(one: Mapping[str, Any]) -> str:
    """The sources of the dose, and of an amount that has a prior."""
    match one.get("amount"):
        case {"source": str(amount)} if amount:
            return "; ".join(filter(None, (one.get("source"), f"amount: {amount}")))
    return _of(one)


SECTION = Section(
    "cohort",
    "Virtual patients",
    (
        Part("Cohorts", cohorts),
        Part("Covariates and groups", people),
        Part("Doses", doses),
    ),
)

BESIDE_PATIENTS = Section(
    SECTION.anchor, SECTION.title, (*SECTION.parts, Part("Enough of them", suffice))
)
"""Where chains were run with a fixed cohort."""
