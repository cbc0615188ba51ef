"""Where what [decision] and [trial] change of a cohort must agree with that cohort."""

from collections.abc import Collection, Iterator, Mapping

from imak_pkpd.evidence import CohortBlock
from imak_pkpd.fit.lines import Key
from imak_pkpd.fit.spec import FitSpec
from imak_pkpd.population.refusal import hint

Finding = tuple[Key, str]


def no_cohort(spec: FitSpec, path: Key, name: str) -> Finding:
    """That the cohort of a block is not there."""
    return (*path, "cohort"), f"there is no [cohort.{name}]{hint(name, spec.cohort)}"


def changes_of_cohort(
    path: Key,
    cohort: CohortBlock,
    amount: Collection[str],
    latest: Mapping[str, float],
    group: Collection[str],
) -> Iterator[Finding]:
    """Doses and groups that the cohort has not; doses whose `latest` is too late."""
    for key, named, known in (
        ("amount", amount, cohort.dose),
        ("times", latest, cohort.dose),
        ("group", group, cohort.group),
    ):
        word = "group" if key == "group" else "dose"
        for name in named:
            if name not in known:
                text = f"the cohort has no {word} '{name}'{hint(name, known)}"
                yield (*path, key, name), text
    for name, time in latest.items():
        if time >= cohort.horizon:
            yield (
                (*path, "times", name),
                f"got a dose at {time:g}, but the cohort is followed to "
                f"{cohort.horizon:g}: raise its horizon, or give it earlier",
            )
