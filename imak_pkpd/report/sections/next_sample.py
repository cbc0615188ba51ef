"""The next sample: what one of each assay, on each day, is expected to be worth."""

from collections.abc import Iterator, Mapping
from typing import Any

from imak_pkpd.decide.notice import SYNTHETIC
from imak_pkpd.decide.sample_folder import ANSWERS
from imak_pkpd.report.answers import answers_of
from imak_pkpd.report.blocks import Block, Part, Prose, Section, Table
from imak_pkpd.report.run import Run
from imak_pkpd.report.sample_figure import GAIN, narrowed, sample_figure

Document = Mapping[str, Any]
Sample = tuple[str, float]  # an assay, and its day


def answers(run: Run) -> Iterator[Block]:
    """Whom it is about, the best samples in words, and what speaks against them."""
    for document in _documents(run):
        yield Prose(f"{_of(run, document)} {_simulated(document)}")
        yield from (Prose(text) for text in document["sentences"])
        yield from (Prose(text, "attention") for text in _against(document))
        yield Prose(f"{document['notice']} Every number rests on the model.")


def samples(run: Run) -> Iterator[Block]:
    """One row per assay and day, and the picture."""
    for number, document in enumerate(_documents(run), 1):
        whom = _of(run, document)
        yield Table(
            f"next-sample-{number}",
            f"{whom} Each row is one sample, of that assay on that day alone. Columns "
            "of quantities: the share of the variance that it is expected to take away "
            "(a little below 0 where nothing is learnt). ±: Monte Carlo errors."
            f"{_gain_words(document)}",
            list(_rows(document)),
        )
        yield sample_figure(run, f"next-sample-days-{number}", document)


def stated(run: Run) -> Iterator[Block]:
    """What the quantities are, and how well each assay measures."""
    for number, document in enumerate(_documents(run), 1):
        yield Table(
            f"next-sample-quantities-{number}",
            f"{_of(run, document)} Quantities. Those without a column above are the "
            "same in (nearly) all simulated patients.",
            [
                {"quantity": name, "definition": text}
                for name, text in document["definitions"].items()
            ],
            folded=True,
        )
        yield Table(
            f"next-sample-assays-{number}",
            f"{_of(run, document)} Assays, and the lowest and highest number that each "
            "reports.",
            [_assay(name, document) for name in document["assays"]],
            folded=True,
        )


def _documents(run: Run) -> list[dict[str, Any]]:
    return answers_of(run, ANSWERS, "it was not asked: `imak sample-days RUN`")


def _of(run: Run, document: Document) -> str:
    """Of whom; one of a file is not among the patients who have labels."""
    if document["patient_file"] is not None and run.labels.hidden:
        return "For the patient of a file."
    return f"For {run.labels.text(document['who'])}."


def _simulated(document: Document) -> str:
    return (
        f"{document['patients']} simulated patients, {document['unsolved']} of them "
        f"unsolved; {document['effective_draws']:.0f} independent draws stand behind "
        f"them. Seed {document['seed']}."
    )


def _against(document: Document) -> Iterator[str]:
    if document["complaint"]:
        yield f"Do not use these numbers: {document['complaint']}."
    if document["run_complaint"]:
        yield f"The run itself: {document['run_complaint']}"
    if document["population_is_synthetic"]:
        yield SYNTHETIC


def _gain_words(document: Document) -> str:
    if not document["evsi"]:
        return ""
    return (
        " Gain in utility: by a choice among the designs that are open after the "
        "sample (EVSI); at most: by knowing the patient fully."
    )


def _rows(document: Document) -> Iterator[dict[str, object]]:
    """Every assay on every day: shares of variance, then the gain in utility."""
    shares = {(_sample(r), r["quantity"]): r for r in document["reductions"]}
    gains = {_sample(row): row for row in document["evsi"]}
    for name in document["assays"]:
        for day in document["days"]:
            row: dict[str, object] = {"assay": name, document["time_unit"]: day}
            for quantity in narrowed(document):
                found = shares[(name, day), quantity]
                row |= {quantity: found["reduction"], f"± {quantity}": found["se"]}
            yield row | _gain(gains.get((name, day)))


def _gain(found: Mapping[str, Any] | None) -> dict[str, object]:
    if found is None:
        return {}
    return {
        GAIN: found["evsi"],
        f"± {GAIN}": found["se"],
        "at most": found["bound"],
        "± at most": found["bound_se"],
        "open designs": found["open_designs"],
    }


def _sample(row: Mapping[str, Any]) -> Sample:
    return row["output"], row["day"]


def _assay(name: str, document: Document) -> dict[str, object]:
    block, (low, high) = document["assays"][name], document["limits"][name]
    how = ", ".join(f"{key} {value}" for key, value in block.items() if key != "unit")
    return {
        "assay": name,
        "unit": block["unit"],
        "as stated": how,
        "lowest": low,
        "highest": high,
    }


SECTION = Section(
    "next-sample",
    "The next sample",
    (
        Part("What a sample tells", answers),
        Part("Assays and days", samples),
        Part("What is stated", stated),
    ),
)
