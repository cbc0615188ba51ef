"""An arm of [trial] as a cohort, and when its endpoints are seen."""

from enum import Enum

from imak_pkpd.choice import ArmBlock, EndpointBlock
from imak_pkpd.estimand import AbstractEstimand, CrossingEstimand
from imak_pkpd.evidence import CohortBlock


class Kind(Enum):
    """What an endpoint is in one patient."""

    yes_no = "yes or no"
    number = "a number"
    time = "a time"


def kind_of(estimand: AbstractEstimand, block: EndpointBlock) -> Kind:
    """By the estimand; a crossing with `later_than` is a yes or no."""
    if isinstance(estimand, CrossingEstimand):
        return Kind.time if block.later_than is None else Kind.yes_no
    return Kind.yes_no if estimand.is_chance else Kind.number


def arm_design(cohort: CohortBlock, arm: ArmBlock) -> CohortBlock:
    """The cohort with the times, spreads of amounts and groups of an arm."""
    spreads = {name: amount.gsd for name, amount in arm.amount.items()}
    return cohort.treated_otherwise(arm.times, spreads, arm.group)


def seen_at(
    design: CohortBlock, estimand: AbstractEstimand, block: EndpointBlock
) -> float:
    """When an endpoint is seen, after the start of its estimand.

    By default as late as that looks: to the last visit, to its horizon, or to the end
    of the cohort.
    """
    for said in (block.at, block.later_than, estimand.reach):
        if said is not None:
            return said
    return design.horizon - design.last_dose(estimand.dose)
