"""Every choice of a trial in words: arms, endpoints, tests, losses, and what it is not.

The same sentences are on the screen and in the files.
"""

from collections.abc import Iterator

from imak_pkpd.choice import ArmBlock, DeathBlock, DropoutBlock
from imak_pkpd.decide.trial.endpoint import Endpoint
from imak_pkpd.decide.trial.of_run import TrialOfRun
from imak_pkpd.fit.arm import Kind

TESTS = {
    Kind.yes_no: ("Fisher's exact test", "the exact binomial test"),
    Kind.number: ("Welch's test", "Student's test"),
    Kind.time: ("the log-rank test", ""),
}
GONE = {
    (Kind.yes_no, "more", "failure"): "count as no",
    (Kind.yes_no, "less", "failure"): "count as yes",
    (Kind.time, "more", "failure"): "count as having the event then",
    (Kind.time, "less", "failure"): "count as never having the event",
}


def stated(made: TrialOfRun) -> Iterator[str]:
    """One sentence after the other."""
    block = made.trials.block
    yield (
        f"{block.draws * block.repeats} trials, {block.repeats} at each of "
        f"{block.draws} draws of the posterior; every trial and every arm has patients "
        "of its own; errors (±) are Monte Carlo errors of means by draw."
    )
    for name, arm in block.arm.items():
        yield f"Arm {name}: {block.size_of(name)} patients, {arm_words(arm)}."
    for name in block.endpoint:
        yield _endpoint(made, name)
    yield _dropout(block.dropout, made.time)
    yield _death(block.death, made.time)
    yield (
        "What an arm truly does: the mean over "
        f"{block.patients} quasi-random patients, with deaths and without dropout."
    )
    yield (
        "Largest error of such a mean by the solver, against the adaptive reference: "
        f"{made.trials.error:.1g}."
    )
    if len(block.arm) * len(block.endpoint) > 2:
        yield "No p-value is adjusted for several arms or endpoints."


def arm_words(arm: ArmBlock) -> str:
    """How an arm is treated, where it differs from the cohort."""
    amounts = (f"{name} {each.planned:.3g}" for name, each in arm.amount.items())
    times = (
        f"{name} at {' + '.join(f'{t:g}' for t in each)}"
        for name, each in arm.times.items()
    )
    groups = (f"{name} {share:g}" for name, share in arm.group.items())
    return ", ".join((*amounts, *times, *groups)) or "as in the cohort"


def _endpoint(made: TrialOfRun, name: str) -> str:
    block, spec = made.trials.block, made.run.spec
    own, against = block.endpoint[name], block.against(name)
    endpoint = next(iter(made.trials.endpoints[name].values()))
    with_arm, with_number = TESTS[endpoint.kind]
    test = (
        f"{with_arm} against {against}"
        if isinstance(against, str)
        else f"{with_number} against {against:g}"
    )
    what = spec.estimand[own.of].definition(made.units)
    if own.later_than is not None:
        what = f"no crossing by {own.later_than:g} {made.time}: {what}"
    return (
        f"Endpoint {name}: {own.of}, {what}; {endpoint.kind.value}, seen "
        f"{endpoint.at:g} {made.time} after its start; {own.better} is better; {test}, "
        f"one-sided, p <= {own.alpha:g}{_gone(made, endpoint)}."
    )


def _gone(made: TrialOfRun, endpoint: Endpoint) -> str:
    """What becomes of who is gone, where somebody can be."""
    block, own = made.trials.block, endpoint.block
    left = "are censored" if endpoint.kind is Kind.time else "are left out"
    said = [
        f"; who {who} before {GONE.get((endpoint.kind, own.better, rule), left)}"
        for who, loss, rule in (
            ("leave", block.dropout, own.dropout),
            ("die", block.death, own.death),
        )
        if loss is not None
    ]
    return "".join(said)


def _dropout(dropout: DropoutBlock | None, time: str) -> str:
    if dropout is None:
        return "Nobody leaves."
    return (
        f"{dropout.share:.0%} leave by {dropout.by:g} {time} after an arm's first "
        "dose, at a constant rate, whatever their state."
    )


def _death(death: DeathBlock | None, time: str) -> str:
    if death is None:
        return "Nobody dies but where an endpoint itself says so."
    if death.share is not None:
        return (
            f"{death.share:.0%} die by {death.by:g} {time} after an arm's first dose, "
            "at a constant rate, whatever their state."
        )
    if death.by is None:
        return f"A patient dies at the crossing {death.of}."
    return (
        f"A patient dies at the constant rate at which {death.of} is the probability "
        f"to be dead by {death.by:g} {time} after the arm's first dose."
    )
