"""The trial: what was simulated, what arms do, and how often a comparison succeeds."""

from collections.abc import Iterator, Mapping
from typing import Any

from imak_pkpd.decide.trial.folder import ANSWERS
from imak_pkpd.decide.words import seen_words
from imak_pkpd.report.answers import answers_of
from imak_pkpd.report.blocks import Block, Light, Part, Prose, Section, Table
from imak_pkpd.report.run import Run
from imak_pkpd.report.trial_figure import trial_figure

Document = Mapping[str, Any]
Row = Mapping[str, Any]


def simulated(run: Run) -> Iterator[Block]:
    """What is assumed of arms, endpoints and losses, and what speaks against it."""
    for which, document in _trials(run):
        first, *others = document["stated"]
        seen = seen_words(document["doses_seen"])
        yield from (Prose(text) for text in (f"{which}{first}", *others, seen))
        yield from (Prose(text, "attention") for text in document["warnings"])
        yield Prose(document["notice"])


def arms(run: Run) -> Iterator[Block]:
    """One row per endpoint and arm, and the picture."""
    for number, (which, document) in enumerate(_trials(run), 1):
        yield Table(
            f"trial-arms-{number}",
            f"{which}What arms truly do (mean, 5 to 95 % of draws) and what trials "
            "report (mean, 5 to 95 % of trials); the shares of patients who have left "
            "or died before the endpoint is seen, or could not be solved. “attention”: "
            "beyond the doses seen.",
            [_arm(row) for row in document["arms"]],
            [_light(row) for row in document["arms"]],
        )
        yield trial_figure(run, f"trial-power-{number}", document)


def characteristics(run: Run) -> Iterator[Block]:
    """How often comparisons succeed, by chance, and where an arm is truly better."""
    for number, (which, document) in enumerate(_trials(run), 1):
        yield Table(
            f"trial-comparisons-{number}",
            f"{which}Comparisons. P(success): over draws and trials (assurance); “if "
            "better” and “if not”: at draws where the arm truly is, and where it is "
            "not. SD: of the chance to succeed, between draws. ±: Monte Carlo errors.",
            [_compared(row) for row in document["comparisons"]],
        )
        yield Table(
            f"trial-endpoints-{number}",
            f"{which}Endpoints: how often the arm that others are held to beats "
            "itself, and how often the arm that looks best is the best.",
            [_endpoint(row) for row in document["endpoints"]],
        )
        yield from _together(number, which, document)
        yield Table(
            f"trial-power-{number}",
            f"{which}How often a comparison succeeds by the true difference, from the "
            "worst draws to the best.",
            [_group(row) for row in document["power"]],
            folded=True,
        )


def _together(number: int, which: str, document: Document) -> Iterator[Block]:
    """Arms that are compared in several endpoints."""
    if document["all_endpoints"]:
        yield Table(
            f"trial-together-{number}",
            f"{which}How often an arm succeeds in all its endpoints at once.",
            [
                {"arm": arm, **_with_error("P(success in all)", row, "success")}
                for arm, row in document["all_endpoints"].items()
            ],
        )


def _trials(run: Run) -> list[tuple[str, Document]]:
    """Every trial; where there are several, with words that say which it is."""
    found = answers_of(run, ANSWERS, "none was simulated: `imak trial RUN`")
    if len(found) == 1:
        return [("", found[0])]
    return [(f"Trial {n} of {len(found)}. ", each) for n, each in enumerate(found, 1)]


def _arm(row: Row) -> dict[str, object]:
    return {
        "endpoint": row["endpoint"],
        "arm": row["arm"],
        "design": row["design"],
        "patients": row["patients"],
        **_spread("truly", row, "expected"),
        **_spread("reported", row, "observed"),
        "left": row["dropped"],
        "died": row["died"],
        "unsolved": row["unsolved"],
        "extrapolated": row["extrapolated"],
    }


def _light(row: Row) -> Light:
    return "attention" if row["extrapolated"] else "note"


def _compared(row: Row) -> dict[str, object]:
    return {
        "endpoint": row["endpoint"],
        "arm": row["arm"],
        "against": row["against"],
        **_spread("true difference", row, "expected_difference"),
        **_spread("reported difference", row, "observed_difference"),
        "P(better)": row["p_better"],
        **_with_error("P(success)", row, "success"),
        "SD": row["power_sd"],
        **_with_error("if better", row, "success_if_better"),
        **_with_error("if not", row, "success_if_not"),
    }


def _endpoint(row: Row) -> dict[str, object]:
    return {
        "endpoint": row["endpoint"],
        "alpha": row["alpha"],
        **_with_error("P(success of the same again)", row, "false_success"),
        **_with_error("P(picks the best)", row, "picks_best"),
    }


def _group(row: Row) -> dict[str, object]:
    return {
        "endpoint": row["endpoint"],
        "arm": row["arm"],
        "against": row["against"],
        "true difference": row["expected_difference"],
        **_with_error("P(success)", row, "success"),
    }


def _spread(name: str, row: Row, key: str) -> dict[str, object]:
    ends = {"5 %": "q05", "95 %": "q95"}
    return {name: row[key]} | {
        f"{name} {n}": row[f"{key}_{k}"] for n, k in ends.items()
    }


def _with_error(name: str, row: Row, key: str) -> dict[str, object]:
    return {name: row[key], f"± {name}": row[f"{key}_se"]}


SECTION = Section(
    "trial",
    "The trial",
    (
        Part("What was simulated", simulated),
        Part("Arms", arms),
        Part("Operating characteristics", characteristics),
    ),
)
