"""Where [decision] of a fit file must agree with its cohort and estimands."""

from collections.abc import Iterator

from imak_pkpd.choice import Boin12Block, DecisionBlock, LimitBlock
from imak_pkpd.estimand import CrossingEstimand
from imak_pkpd.fit.cohort_agreement import Finding, changes_of_cohort, no_cohort
from imak_pkpd.fit.spec import FitSpec
from imak_pkpd.model import AnyModel
from imak_pkpd.population.refusal import hint


def decision_findings(spec: FitSpec, model: type[AnyModel]) -> Iterator[Finding]:
    """Keys that are wrong, and why; nothing without a decision."""
    block = spec.decision
    if block is None:
        return
    if block.cohort not in spec.cohort:
        yield no_cohort(spec, ("decision",), block.cohort)
        return
    cohort = spec.cohort[block.cohort]
    latest = {n: max(map(max, each.options)) for n, each in block.times.items()}
    yield from changes_of_cohort(
        ("decision",), cohort, block.amount, latest, block.group
    )
    yield from _utility(spec, block)
    for name, limit in block.limit.items():
        if problem := _limit(spec, name, limit):
            yield ("decision", "limit", name), problem
    if block.boin12 is not None:
        yield from _boin12(spec, block.boin12)
    for name, until in block.show.items():
        if name not in model.outputs:
            near = hint(name, model.outputs)
            yield ("decision", "show", name), f"the model has no output '{name}'{near}"
        elif until > cohort.horizon:
            yield (
                ("decision", "show", name),
                f"got {until:g}, but the cohort is followed to {cohort.horizon:g}: "
                "show less, or raise its horizon",
            )


def _utility(spec: FitSpec, block: DecisionBlock) -> Iterator[Finding]:
    known = [*spec.estimand, *block.amount]
    for name in sorted(set(spec.estimand) & set(block.amount)):
        text = f"'{name}' is an estimand and a dose: rename the estimand"
        yield ("decision", "amount", name), text
    for name in block.worth.names:
        if name not in known:
            near = hint(name, known)
            text = f"'{name}' is no estimand and no amount to choose{near}"
            yield ("decision", "utility"), text
        elif isinstance(spec.estimand.get(name), CrossingEstimand):
            yield (
                ("decision", "utility"),
                f"'{name}' is a crossing, which may have no time: use a probability, a "
                "value or an area, or a limit with later_than",
            )


def _boin12(spec: FitSpec, block: Boin12Block) -> Iterator[Finding]:
    for key, name in (("toxicity", block.toxicity), ("efficacy", block.efficacy)):
        path = ("decision", "boin12", key)
        if name not in spec.estimand:
            yield path, f"there is no estimand '{name}'{hint(name, spec.estimand)}"
        elif not spec.estimand[name].is_chance:
            yield (
                path,
                f"'{name}' is not the probability of an outcome: name a remission, a "
                "negative, an extinction or a value with chance = true",
            )


def _limit(spec: FitSpec, name: str, limit: LimitBlock) -> str | None:
    if name not in spec.estimand:
        return f"there is no estimand '{name}'{hint(name, spec.estimand)}"
    crossing = isinstance(spec.estimand[name], CrossingEstimand)
    if crossing and limit.later_than is None:
        return f"'{name}' is a crossing: say from when it is late, later_than = ..."
    if not crossing and limit.later_than is not None:
        return f"'{name}' is no crossing: it has no later_than"
    return None
