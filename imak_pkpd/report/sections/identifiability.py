"""What the data cannot say: parameters, directions and mechanisms left to the prior."""

from collections.abc import Iterator, Mapping

import numpy as np
from matplotlib.figure import Figure as Canvas

from imak_pkpd.check.contraction import (
    NOISE,
    Learned,
    ParameterDraws,
    learned,
    parameter_draws,
)
from imak_pkpd.check.directions import correlations, directions, enough
from imak_pkpd.report.blocks import Block, Light, Part, Prose, Section, Table
from imak_pkpd.report.figure import BLUE, PALE, figure
from imak_pkpd.report.run import MissingError, Run
from imak_pkpd.report.sections.evidence import estimand_rows

MOST_BARS = 30
"""Parameters of the figure, those that learned most."""

MOST_PAIRS = 15
MOST_DIRECTIONS = 10

MECHANISM = "mechanism_"
"""Estimands with names that begin so say which mechanism was at work."""


def contractions(run: Run) -> Iterator[Block]:
    """How much narrower than its prior each parameter is, the narrowest first."""
    rows = learned(_draws(run))
    yield from _sentences(rows)
    yield figure(
        run,
        "contraction",
        lambda canvas: _draw(canvas, rows[:MOST_BARS]),
        alt="Contraction of the parameters that learned most, with its error.",
        caption=f"Contraction of the {min(len(rows), MOST_BARS)} parameters that "
        f"learned most, with {NOISE:g} standard errors. At 0 the posterior is as wide "
        "as the prior.",
        size=(7.4, 0.8 + 0.18 * min(len(rows), MOST_BARS)),
    )
    lights: list[Light] = ["attention" if row.nothing else "note" for row in rows]
    yield Table(
        "contraction",
        "Contraction: 1 − posterior variance / prior variance, on theta's scale (of "
        "the logarithm for an omega or an amount). Shift: in prior SDs. “attention”: "
        "neither can be told from 0.",
        [_cells(row) for row in rows],
        lights,
    )


def combinations(run: Run) -> Iterator[Block]:
    """The directions that the facts inform, and the many that they do not."""
    found = directions(_plenty(run))
    beyond = sum(one.beyond_noise for one in found)
    yield Prose(
        f"The facts inform {beyond} of {len(found)} directions of the parameter space "
        "beyond the noise of the draws. In the others this run cannot tell the "
        "posterior from the prior."
    )
    lights: list[Light] = [
        "pass" if one.beyond_noise else "note" for one in found[:MOST_DIRECTIONS]
    ]
    yield Table(
        "directions",
        "Directions that learned most, parameters in prior SDs: contraction along "
        "each, shift in prior SDs, and its largest weights. “pass”: beyond noise.",
        [
            {
                "direction": str(place),
                "contraction": one.contraction,
                "shift (prior SDs)": one.shift,
                "largest weights": _weights(one.loadings),
            }
            for place, one in enumerate(found[:MOST_DIRECTIONS], 1)
        ],
        lights,
    )


def pairs(run: Run) -> Iterator[Block]:
    """Parameters that the facts know together only."""
    found = correlations(_plenty(run), MOST_PAIRS)
    lights: list[Light] = ["attention" if one.beyond_noise else "note" for one in found]
    beyond = sum(one.beyond_noise for one in found)
    yield Prose(
        "Parameters that are independent in the prior and correlated in the posterior "
        "are known in combination, not each alone: one can make up for the other."
        if beyond
        else "No two parameters are correlated beyond the noise of the draws."
    )
    yield Table(
        "correlations",
        "The largest posterior correlations between parameters, on theta's scale. "
        "“attention”: beyond the noise of that many pairs.",
        [
            {"one": one.one, "other": one.other, "correlation": one.correlation}
            for one in found
        ],
        lights,
    )


def mechanisms(run: Run) -> Iterator[Block]:
    """Donor cells or the host's immunity: what this run can say."""
    yield Prose(
        "Killing by donor cells, the host's own immunity after rejection, and a "
        "mixture of both can give the same published counts. Agreement with the "
        "counts does not choose between them."
    )
    rows = estimand_rows(run, MECHANISM)
    if not rows:
        yield Prose(
            "This run does not estimate the share of each mechanism: it has no "
            f"estimand whose name begins with “{MECHANISM}”.",
            "note",
        )
        return
    yield Table(
        "mechanisms",
        "Mechanisms before and after the facts: median and central 90 % interval of "
        "the mean over a cohort.",
        rows,
    )


def _draws(run: Run) -> ParameterDraws:
    run.need("prior")
    run.need("posterior")
    return parameter_draws(run.tree)


def _plenty(run: Run) -> ParameterDraws:
    """The draws where there are enough of them for a covariance."""
    drawn = _draws(run)
    if not enough(drawn):
        raise MissingError(
            f"{drawn.size:.0f} effective draws are too few for "
            f"{len(drawn.names)} parameters"
        )
    return drawn


def _sentences(rows: list[Learned]) -> Iterator[Block]:
    """Who learned nothing, said plainly."""
    nothing = [row.parameter for row in rows if row.nothing]
    if not nothing:
        yield Prose("The facts say something of every parameter.", "note")
        return
    yield Prose(
        f"{len(nothing)} of {len(rows)} parameters learned nothing that can be told "
        f"from the noise of the draws: {', '.join(nothing)}. What is said of them is "
        "what the prior said.",
        "attention",
    )


def _cells(row: Learned) -> dict[str, object]:
    return {
        "parameter": row.parameter,
        "contraction": row.contraction,
        "SE of contraction": row.contraction_se,
        "shift (prior SDs)": row.shift,
        "SE of shift": row.shift_se,
        "learned": "nothing" if row.nothing else "something",
    }


def _weights(loadings: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {weight:+.2f}" for name, weight in loadings.items())


def _draw(canvas: Canvas, rows: list[Learned]) -> None:
    axes = canvas.subplots()
    place = np.arange(len(rows))[::-1]
    values = np.array([row.contraction for row in rows])
    errors = NOISE * np.array([row.contraction_se for row in rows])
    axes.axvline(0, color=PALE, zorder=0)
    axes.hlines(place, values - errors, values + errors, color=BLUE, linewidth=1.2)
    axes.plot(values, place, "o", color=BLUE, markersize=3.5)
    axes.set_yticks(place, [row.parameter for row in rows])
    axes.set_xlabel("contraction")
    axes.set_xlim(right=1.02)


SECTION = Section(
    "limits",
    "What the data cannot say",
    (
        Part("Parameters", contractions),
        Part("Combinations of parameters", combinations),
        Part("Pairs", pairs),
        Part("Mechanisms", mechanisms),
    ),
)
