"""Where [decision] of a fit file must agree with its cohort and estimands."""

from collections.abc import Iterator

from imak_pkpd.choice import DecisionBlock, LimitBlock
from imak_pkpd.estimand import CrossingEstimand
from imak_pkpd.evidence import CohortBlock
from imak_pkpd.fit.lines import Key
from imak_pkpd.fit.spec import FitSpec
from imak_pkpd.model import AnyModel
from imak_pkpd.population.refusal import hint

Finding = tuple[Key, str]


def decision_findings(spec: FitSpec, model: type[AnyModel]) -> Iterator[Finding]:
    """Keys that are wrong, and why; nothing without a decision."""
    block = spec.decision
    if block is None:
        return
    cohort = spec.cohort.get(block.cohort)
    if cohort is None:
        near = hint(block.cohort, spec.cohort)
        yield ("decision", "cohort"), f"there is no [cohort.{block.cohort}]{near}"
        return
    yield from _choices(block, cohort)
    yield from _utility(spec, block)
    for name, limit in block.limit.items():
        if problem := _limit(spec, name, limit):
            yield ("decision", "limit", name), problem
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


def _choices(block: DecisionBlock, cohort: CohortBlock) -> Iterator[Finding]:
    """What is chosen of the cohort and is not there, or comes too late."""
    for key, named, known in (
        ("amount", block.amount, cohort.dose),
        ("times", block.times, cohort.dose),
        ("group", block.group, cohort.group),
    ):
        for name in named:
            if name not in known:
                word, near = ("group" if key == "group" else "dose"), hint(name, known)
                yield (
                    ("decision", key, name),
                    f"the cohort has no {word} '{name}'{near}",
                )
    for name, choice in block.times.items():
        latest = max(max(course) for course in choice.options)
        if latest >= cohort.horizon:
            yield (
                ("decision", "times", name),
                f"got a dose at {latest:g}, but the cohort is followed to "
                f"{cohort.horizon:g}: raise its horizon, or give it earlier",
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


def _limit(spec: FitSpec, name: str, limit: LimitBlock) -> str | None:
    if name not in spec.estimand:
        return f"there is no estimand '{name}'{hint(name, spec.estimand)}"
    crossing = isinstance(spec.estimand[name], CrossingEstimand)
    if crossing and limit.later_than is None:
        return f"'{name}' is a crossing: say from when it is late, later_than = ..."
    if not crossing and limit.later_than is not None:
        return f"'{name}' is no crossing: it has no later_than"
    return None
