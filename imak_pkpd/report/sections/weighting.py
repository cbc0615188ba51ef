"""Computation of a weighted run: are its weights good enough, and their cost."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure as Canvas

from imak_pkpd.check.weighting import SCRAMBLES, scramble_distances, weighting_of
from imak_pkpd.report.blocks import Block, Light, Part, Prose, Section, Table
from imak_pkpd.report.figure import BLUE, figure
from imak_pkpd.report.run import MissingError, Run
from imak_pkpd.report.sections.computation import checks

WAYS = {
    "weights": (
        "Draws of the prior were weighted by how well they predict the facts, and the "
        "likelier ones chosen."
    ),
    "adapted": (
        "Few draws of the prior predict the facts: in rounds, more were drawn from "
        "normals fitted to the likelier ones, and all were weighted by prior, facts "
        "and the mixture of what proposed them, and the likelier ones chosen."
    ),
    "tempered": (
        "Few draws of the prior predict the facts: particles were led from the prior "
        "to the posterior by tempered sequential Monte Carlo."
    ),
}
REFINED = "These were solved again with more virtual patients, and weighted anew."
FIGURES = {
    "prior_draws": "prior draws",
    "refined_draws": "refined draws",
    "proposals": "rounds of proposals",
    "failed": "draws weighed first with a failed solve",
    "patients": "virtual patients at a prior draw",
    "refined_patients": "virtual patients at a refined draw",
    "ess": "effective draws (ESS)",
    "largest_weight": "largest weight",
    "khat": "k-hat of the weights",
    "log_evidence": "log evidence",
    "cpu_s": "CPU seconds",
}


def figures(run: Run) -> Iterator[Block]:
    """How the draws were made, in numbers."""
    said = _said(run)
    yield Prose(
        f"{WAYS[said.get('way', 'weights')]} {REFINED} There are no chains: R-hat, "
        "divergences and trace plots do not apply."
    )
    rows = [
        {"figure": title, "value": _cell(said[key])}
        for key, title in FIGURES.items()
        if key in said
    ]
    yield Table("weighting", "The weighting.", rows)


def scrambles(run: Run) -> Iterator[Block]:
    """The posterior means at two independent sets of virtual patients."""
    said = _said(run)
    away = scramble_distances(said)
    if not away:
        raise MissingError("the run kept one set of quasi-random points only")
    lights: list[Light] = [
        "pass" if value <= SCRAMBLES else "fail" for value in away.values()
    ]
    rows = [
        {
            "estimand": name,
            "first set": said["scrambles"][name]["first"],
            "second set": said["scrambles"][name]["second"],
            "SE of the points": said["scrambles"][name].get("points", "-"),
            "combined SE": said["scrambles"][name]["se"],
            "difference (SE)": value,
        }
        for name, value in away.items()
    ]
    yield Table(
        "scrambles",
        "Posterior mean of each estimand from two sets of virtual patients, each with "
        f"its own weights; they should differ by at most {SCRAMBLES:g} SE.",
        rows,
        lights,
    )


def concentration(run: Run) -> Iterator[Block]:
    """The share of the posterior that the heaviest draws hold."""
    log_weight = run.need("refined", "log_weight")["log_weight"].values
    yield figure(
        run,
        "weights",
        lambda canvas: _draw(canvas, np.sort(np.exp(log_weight))[::-1]),
        alt="Share of the posterior held by the heaviest draws.",
        caption="Share of the posterior that the heaviest draws hold. Weights that "
        "rest on a few draws rise at once.",
        size=(7.4, 2.6),
    )


def _draw(canvas: Canvas, weight: np.ndarray) -> None:
    axes = canvas.subplots()
    axes.plot(np.arange(1, len(weight) + 1), np.cumsum(weight), color=BLUE)
    axes.set_xlabel("refined draws, the heaviest first")
    axes.set_ylabel("share of all weight")
    axes.set_ylim(0, 1.02)
    axes.set_xlim(left=0)


def _said(run: Run) -> Mapping[str, Any]:
    said = weighting_of(run.tree)
    if not said:
        raise MissingError("the run has no figures of its weighting")
    return said


def _cell(value: object) -> object:
    """A number as it is; numbers by cohort in one line."""
    match value:
        case dict():
            return ", ".join(f"{name}: {number}" for name, number in value.items())
    return value


SECTION = Section(
    "computation",
    "Computation",
    (
        Part("Checks", checks),
        Part("Weighting", figures),
        Part("Two sets of virtual patients", scrambles),
        Part("Weights", concentration),
    ),
)
