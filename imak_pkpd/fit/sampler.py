"""Which sampler a fit file is run by, and why: `plan_of` says it before anything runs.

| [data] | [evidence] | sampler | runs |
|---|---|---|---|
| yes | no | auto, nuts | NUTS |
| no | yes | auto, weights, adapted, tempered | weights of prior draws, or as said |
| yes | yes | auto, nuts | NUTS, with the facts as terms of the density |
| yes | yes | tempered | tempered SMC, with the records as terms of it |
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from imak_pkpd.fit.lines import Key
from imak_pkpd.fit.spec import FitSpec


class Plan(NamedTuple):
    """What runs, why, and what to look out for (empty: nothing)."""

    sampler: Literal["nuts", "weights", "adapted", "tempered"]
    why: str
    caution: str = ""


STAIRCASE = (
    "the mean over a fixed virtual cohort is a staircase for gradients: NUTS needs "
    "outcomes that are smooth on the scale of the spacing of patients, or many of "
    'them; R-hat and ESS judge, and sampler = "tempered" needs no gradient'
)


def plan_of(spec: FitSpec) -> Plan:
    """The sampler of a fit file that `sampler_findings` does not refuse."""
    said = spec.estimation.sampler
    if not spec.evidence:
        return Plan("nuts", "patients' records and no published facts")
    if spec.data is None:
        if said in ("adapted", "tempered"):
            return Plan(said, "published facts and no patients; as asked for")
        why = "no patients: prior draws are weighed, and adapted first if few agree"
        return Plan("weights", why)
    if said == "tempered":
        return Plan("tempered", "patients and published facts; as asked for")
    why = "patients and published facts together: effects of patients need gradients"
    return Plan("nuts", why, STAIRCASE)


def sampler_findings(spec: FitSpec) -> Iterator[tuple[Key, str]]:
    """Keys of samplers that do not suit the fit, and why."""
    said, key = spec.estimation.sampler, ("estimation", "sampler")
    if said == "nuts" and spec.data is None:
        yield key, "got 'nuts' without [data]: write 'weights', 'tempered' or 'auto'"
    elif said in ("weights", "adapted") and spec.data is not None:
        text = "prior draws do not meet the records of patients: write 'tempered'"
        yield key, f"got '{said}' with [data], but {text}, 'nuts' or 'auto'"
    elif said == "tempered" and not spec.evidence:
        yield key, "got 'tempered' without [evidence]: write 'nuts' or 'auto'"
