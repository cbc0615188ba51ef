"""Model: equations, parameters with units, priors with their reasons, prior check."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure as Canvas

from imak_pkpd.check.goodness import codes, observations, stacked, values
from imak_pkpd.check.vpc import bin_count, bin_of, time_bins
from imak_pkpd.report.blocks import Block, Listing, NotRun, Part, Prose, Section, Table
from imak_pkpd.report.facts import joint_blocks, prior, source
from imak_pkpd.report.figure import BLUE, GREY, ORANGE, figure, log_axis
from imak_pkpd.report.number import with_unit
from imak_pkpd.report.run import OBSERVED, MissingError, Run
from imak_pkpd.report.sections import events

PRIOR_BANDS = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Ends of the central 90 % and 50 %, and the median."""


def equations(run: Run) -> Iterator[Block]:
    """The model file's own words, and the files as they were."""
    texts = {
        "Model file": run.fact("model", "source"),
        "Fit file": run.fact("fit", "text"),
    }
    if not any(texts.values()):
        raise MissingError("run.json has neither the model file nor the fit file")
    if run.facts.description:
        words = run.labels.text(run.facts.description)
        yield Listing("What the model file says", words, folded=False)
    for title, text in texts.items():
        if text:
            yield Listing(title, run.labels.text(str(text)))


def parameters(run: Run) -> Iterator[Block]:
    """Parameters with units, meaning and prior."""
    if not run.facts.parameters:
        raise MissingError("the model file is not in run.json")
    rows = [
        {
            "parameter": one.name,
            "unit": one.unit,
            "meaning": one.meaning,
            "scale": one.scale,
            "prior of the typical value": one.prior,
            "source": one.prior_source or one.source or "–",
        }
        for one in run.facts.parameters.values()
    ]
    yield Table(
        "model-parameters",
        "Parameters of the model. Random effects and omega live on the scale named.",
        rows,
    )


def other_priors(run: Run) -> Iterator[Block]:
    """Priors of variability, covariate effects and residual errors."""
    rows = [
        {"quantity": name, "prior": prior(entry), "source": source(entry) or "–"}
        for name, entry in _entries(run.facts.tables)
        if prior(entry) != "–"
    ]
    if not rows:
        raise MissingError("the fit file is not in run.json")
    caption = "Variability between patients, covariate effects and residual errors."
    yield Table("priors", caption, rows)


def _entries(tables: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """Every number with a prior, outside theta."""
    for name, entry in tables.get("omega", {}).items():
        yield f"omega of {name}", entry
    for kind, block in joint_blocks(tables):
        yield f"{kind} of {', '.join(block.get('parameters', ()))}", block
    for parameter, columns in tables.get("covariate", {}).items():
        for column, effect in columns.items():
            for key, entry in effect.items():
                yield f"{column} on {parameter}: {key}", entry
    for output, table in tables.get("output", {}).items():
        for key, entry in table.items():
            yield f"{output}: {key}", entry


def prior_check(run: Run) -> Iterator[Block]:
    """What the model expected before it saw the data."""
    run.need("prior_predictive", "replicate")
    data = run.need("observed_data", *OBSERVED)
    for k, output in enumerate(run.outputs):
        if output.timed:
            yield NotRun(f"Prior predictive check of {output.name}", events.WHY)
        elif np.any(codes(data, "output_index") == k):
            yield figure(
                run,
                f"prior-predictive-{k + 1}",
                lambda canvas, k=k: _draw_prior(canvas, run, k),  # type: ignore[misc]
                alt=f"Prior predictive intervals of {output.name} against time, with "
                "the observations.",
                caption=f"Prior predictive check of {output.name}: central 50 % and "
                "90 % of new patients drawn from the prior, at each time bin; dots: "
                "the data.",
                size=(7.4, 3.2),
            )
    yield Prose("The data should look possible here, and need not look likely.")


def _draw_prior(canvas: Canvas, run: Run, k: int) -> None:
    data = run.need("observed_data", *OBSERVED)
    here = codes(data, "output_index") == k
    time = values(data, "time")[here]
    dv, _, censor = observations(data).at(here)
    drawn = stacked(run.tree, "replicate", "prior_predictive")[:, here]
    finite = np.where(np.isfinite(drawn), drawn, np.nan)
    subject = codes(data, "subject_index")[here]
    bins = bin_of(time, time_bins(time, bin_count(subject)))
    moments = np.array([np.median(time[bins == b]) for b in np.unique(bins)])
    ends = np.array(
        [np.nanquantile(finite[:, bins == b], PRIOR_BANDS) for b in np.unique(bins)]
    ).T
    axes = canvas.subplots()
    positive = ends[2].min() > 0 and np.any(dv > 0) and not run.outputs[k].graded
    if positive:
        log_axis(axes)
        ends = np.maximum(ends, min(dv[dv > 0].min(), ends[2].min()) / 10)
    axes.fill_between(moments, ends[0], ends[4], color=BLUE, alpha=0.15, linewidth=0)
    axes.fill_between(moments, ends[1], ends[3], color=BLUE, alpha=0.25, linewidth=0)
    axes.plot(moments, ends[2], color=BLUE)
    axes.plot(time[censor == 0], dv[censor == 0], "o", color=GREY, markersize=2.5)
    axes.plot(time[censor != 0], dv[censor != 0], "v", color=ORANGE, markersize=4)
    axes.set_xlabel(with_unit("time", run.facts.time))
    axes.set_ylabel(with_unit(run.outputs[k].name, run.outputs[k].unit))


SECTION = Section(
    "model",
    "Model",
    (
        Part("Equations", equations),
        Part("Parameters", parameters),
        Part("Other priors", other_priors),
        Part("Prior predictive check", prior_check),
    ),
)

WITHOUT_PATIENTS = Section("model", "Model and priors", SECTION.parts[:-1])
"""Where there are no samples there is no prior predictive check against them."""
