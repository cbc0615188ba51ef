"""Parameter table of a weighted run: prior beside posterior."""

from collections.abc import Iterator

from imak_pkpd.check.parameter_table import INTERVAL
from imak_pkpd.report.blocks import Block, Part, Prose, Section, Table
from imak_pkpd.report.facts import prior
from imak_pkpd.report.run import Run
from imak_pkpd.report.sections.parameters import prior_of


def population(run: Run) -> Iterator[Block]:
    """Every parameter that varies, before and after the facts."""
    run.need("posterior")
    rows = [
        {
            "parameter": str(one["name"]),
            "unit": one["unit"],
            "prior median": one["prior_median"],
            "prior 2.5 %": one["prior_lower"],
            "prior 97.5 %": one["prior_upper"],
            "median": one["median"],
            "2.5 %": one["lower"],
            "97.5 %": one["upper"],
            "prior": prior_in_words(run, str(one["name"])),
        }
        for one in run.parameters.to_dict("records")
    ]
    yield Table(
        "parameters",
        f"Parameters: median and {INTERVAL}, from the prior and from the posterior.",
        rows,
    )
    yield Prose(
        "A handful of facts cannot inform every parameter: most of these intervals are "
        "the prior's. What was learned stands in “What the data cannot say”."
    )


def prior_in_words(run: Run, name: str) -> str:
    """The prior of a variable as the fit file has it, amounts of a dose included."""
    for cohort, block in run.facts.tables.get("cohort", {}).items():
        for dose, one in block.get("dose", {}).items():
            if name == f"{cohort}_{dose}_amount":
                return prior(one.get("amount"))
    return prior_of(run, name)


SECTION = Section("parameters", "Parameters", (Part("Population", population),))
