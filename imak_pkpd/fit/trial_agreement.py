"""Where [trial] of a fit file must agree with its cohort and estimands."""

from collections.abc import Iterator

from imak_pkpd.choice import ArmBlock, EndpointBlock, TrialBlock
from imak_pkpd.estimand import CrossingEstimand
from imak_pkpd.evidence import CohortBlock
from imak_pkpd.fit.arm import Kind, arm_design, kind_of, seen_at
from imak_pkpd.fit.cohort_agreement import Finding, changes_of_cohort, no_cohort
from imak_pkpd.fit.spec import FitSpec
from imak_pkpd.population.refusal import hint


def trial_findings(spec: FitSpec) -> Iterator[Finding]:
    """Keys that are wrong, and why; nothing without a trial."""
    block = spec.trial
    if block is None:
        return
    if block.cohort not in spec.cohort:
        yield no_cohort(spec, ("trial",), block.cohort)
        return
    cohort = spec.cohort[block.cohort]
    found = [f for name, arm in block.arm.items() for f in _arm(cohort, name, arm)]
    yield from found
    yield from _death(spec, block)
    for name, endpoint in block.endpoint.items():
        key = ("trial", "endpoint", name)
        problem = _endpoint(spec, block, endpoint)
        if problem is None and not found:
            problem = _too_late(spec, block, cohort, endpoint)
        if problem is not None:
            yield key, problem


def _arm(cohort: CohortBlock, arm: str, block: ArmBlock) -> Iterator[Finding]:
    """What an arm changes of the cohort and is not there, or comes too late."""
    latest = {name: max(times) for name, times in block.times.items()}
    path = ("trial", "arm", arm)
    yield from changes_of_cohort(path, cohort, block.amount, latest, block.group)


def _death(spec: FitSpec, block: TrialBlock) -> Iterator[Finding]:
    death = block.death
    if death is None or death.of is None:
        return
    key, estimand = ("trial", "death"), spec.estimand.get(death.of)
    if estimand is None:
        yield key, f"there is no estimand '{death.of}'{hint(death.of, spec.estimand)}"
    elif isinstance(estimand, CrossingEstimand):
        if death.by is not None:
            yield key, f"'{death.of}' is a crossing, which has a time: remove by"
    elif not estimand.is_chance:
        yield key, f"'{death.of}' is neither a crossing nor a probability"
    elif death.by is None:
        yield key, f"'{death.of}' is a probability: say by when, by = ..."


def _endpoint(spec: FitSpec, trial: TrialBlock, block: EndpointBlock) -> str | None:
    estimand = spec.estimand.get(block.of)
    if estimand is None:
        return f"there is no estimand '{block.of}'{hint(block.of, spec.estimand)}"
    if block.later_than is not None and not isinstance(estimand, CrossingEstimand):
        return f"'{block.of}' is no crossing: it has no later_than"
    wanted, ends = block.at or block.later_than, estimand.window
    if wanted is not None and ends is not None and wanted > ends:
        return (
            f"got {wanted:g}, but '{block.of}' looks no further than {ends:g}: raise "
            "its horizon, or see it earlier"
        )
    kind, against = kind_of(estimand, block), block.against
    if isinstance(against, float | int):
        if kind is Kind.time:
            return (
                f"'{block.of}' is a time, and got against = {against:g}: compare it "
                "with an arm, or make it a yes or no with later_than"
            )
        if kind is Kind.yes_no and not 0.0 < against < 1.0:
            return f"got against = {against:g}: a share is between 0 and 1"
    losses = {"dropout": trial.dropout, "death": trial.death}
    for name, loss in losses.items():
        if kind is Kind.number and loss and getattr(block, name) == "failure":
            return (
                f"'{block.of}' is a number, which cannot be a failure: write "
                f'{name} = "left_out"'
            )
    return None


def _too_late(
    spec: FitSpec, trial: TrialBlock, cohort: CohortBlock, block: EndpointBlock
) -> str | None:
    """An endpoint that is seen after the end of the cohort in some arm."""
    estimand = spec.estimand[block.of]
    for name, arm in trial.arm.items():
        design = arm_design(cohort, arm)
        left = design.horizon - design.last_dose(estimand.dose)
        wanted = max(seen_at(design, estimand, block), estimand.reach or 0.0)
        if wanted > left:
            return (
                f"it is seen {wanted:g} after the start, but arm {name} is followed "
                f"for {left:g} after its last dose: raise [cohort.{trial.cohort}] "
                "horizon, or see it earlier"
            )
    return None
