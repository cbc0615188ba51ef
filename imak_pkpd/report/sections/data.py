"""Data: who was sampled, how often, what was given; the raw profiles."""

from collections.abc import Iterator

import numpy as np
from matplotlib.figure import Figure as Canvas

from imak_pkpd.check.goodness import codes, observations, values
from imak_pkpd.report.blocks import Block, NotRun, Part, Prose, Section, Table
from imak_pkpd.report.figure import BLUE, GREY, ORANGE, figure, log_axis
from imak_pkpd.report.number import with_unit
from imak_pkpd.report.run import OBSERVED, Run


def samples(run: Run) -> Iterator[Block]:
    """Counts per output, and what was left out."""
    data = run.need("observed_data", *OBSERVED)
    observed, output = observations(data), codes(data, "output_index")
    subject = codes(data, "subject_index")
    rows = []
    for k, each in enumerate(run.outputs):
        some = observed.at(output == k)
        _, counts = np.unique(subject[output == k], return_counts=True)
        known = some.dv[some.censor == 0]
        below, beyond = np.sum(some.censor == 1), np.sum(np.isin(some.censor, (-1, 2)))
        rows.append(
            {
                "output": each.name,
                "unit": each.unit,
                "patients": len(counts),
                "samples": len(some.dv),
                "per patient (median)": _median(counts),
                "lowest": known.min(initial=np.inf),
                "highest": known.max(initial=-np.inf),
                "BLQ (%)": 100 * below / max(len(some.dv), 1),
                "otherwise censored": int(beyond),
                "censoring": each.censoring or "–",
            }
        )
    yield Table(
        "samples",
        "Samples by output. BLQ: below the limit of quantification; lowest and highest "
        "of the quantified values.",
        rows,
    )


def _median(counts: np.ndarray) -> float:
    return float(np.median(counts)) if len(counts) else 0.0


def exclusions(run: Run) -> Iterator[Block]:
    """What was not used, and why; what the data check remarked."""
    left_out = run.fact("data", "exclusions", default=[])
    if not left_out:
        yield Prose("No exclusions are recorded.")
    else:
        rows = [
            {key: _shown(run, key, value) for key, value in line.items()}
            for line in left_out
        ]
        yield Table("exclusions", "Left out, with the reason.", rows)
    findings = run.fact("data", "findings", default=[])
    if findings:
        keys = ("rule", "severity", "line", "subject", "column", "message", "hint")
        shown = [{key: _shown(run, key, f.get(key)) for key in keys} for f in findings]
        yield Table("findings", "Remarks of the data check.", shown)


def _shown(run: Run, key: str, value: object) -> str:
    if value is None:
        return "–"
    return (
        run.labels.of(str(value)) if key == "subject" else run.labels.text(str(value))
    )


def doses(run: Run) -> Iterator[Block]:
    """Doses per patient, and the dose groups of the checks below."""
    constant = run.need("constant_data", "dose_amount", "dose_subject_index")
    amount = np.asarray(constant["dose_amount"].values, float)
    who = np.asarray(constant["dose_subject_index"].values, int)
    rows, unit = [], run.facts.dose_unit
    for group in run.dose_groups:
        count = np.array([np.sum(who == s) for s in group.subjects])
        total = np.array([amount[who == s].sum() for s in group.subjects])
        rows.append(
            {
                "group": group.name,
                "patients": len(group.subjects),
                "fewest doses": int(count.min()),
                "most doses": int(count.max()),
                "lowest total": total.min(),
                "median total": np.median(total),
                "highest total": total.max(),
            }
        )
    yield Table(
        "doses",
        "Doses as recorded, repeats expanded; total amount per patient"
        + (f" in {unit}." if unit else ", in the unit of the data file."),
        rows,
    )
    if len(run.dose_groups) == 1:
        yield Prose(
            "Doses are individual, or all the same: patients are not divided into "
            "dose groups."
        )


def covariates(run: Run) -> Iterator[Block]:
    """Covariates as given, one row each."""
    rows = []
    for name, column in run.covariates.items():
        low, middle, high = np.quantile(column, [0, 0.5, 1])
        rows.append(
            {
                "covariate": name,
                "lowest": low,
                "median": middle,
                "highest": high,
                "distinct values": len(np.unique(column)),
            }
        )
    if rows:
        yield Table(
            "covariates",
            "Covariates by patient (the first value where they change).",
            rows,
        )
    else:
        yield Prose("The data have no covariates.")


def profiles(run: Run) -> Iterator[Block]:
    """Every patient's samples against time."""
    data = run.need("observed_data", *OBSERVED)
    output = codes(data, "output_index")
    for k, each in enumerate(run.outputs):
        if not np.any(output == k):
            yield NotRun(f"Raw profiles of {each.name}", "it has no sample")
            continue
        yield figure(
            run,
            f"profiles-{k + 1}",
            lambda canvas, k=k: _draw_profiles(canvas, run, k),  # type: ignore[misc]
            alt=f"Observed {each.name} of every patient against time, on a linear and "
            "a logarithmic axis.",
            caption=f"Observed {each.name}, one line per patient. Triangles: beyond an "
            "assay limit, drawn at the limit.",
        )


def _draw_profiles(canvas: Canvas, run: Run, k: int) -> None:
    data = run.need("observed_data", *OBSERVED)
    here = codes(data, "output_index") == k
    subject, time = codes(data, "subject_index")[here], values(data, "time")[here]
    dv, _, censor = observations(data).at(here)
    output = run.outputs[k]
    panels = canvas.subplots(1, 1 if output.graded else 2, squeeze=False)[0]
    for side, axes in enumerate(panels):
        for one in np.unique(subject):
            rows = np.flatnonzero(subject == one)
            rows = rows[np.argsort(time[rows], kind="stable")]
            axes.plot(time[rows], dv[rows], color=GREY, alpha=0.5, linewidth=0.8)
        known, beyond = censor == 0, censor != 0
        axes.plot(time[known], dv[known], "o", color=BLUE, markersize=2.5)
        axes.plot(time[beyond], dv[beyond], "v", color=ORANGE, markersize=4)
        axes.set_xlabel(with_unit("time", run.facts.time))
        axes.set_ylabel(with_unit(output.name, output.unit))
        if side and np.any(dv > 0):
            log_axis(axes)


SECTION = Section(
    "data",
    "Data",
    (
        Part("Samples", samples),
        Part("Exclusions and remarks", exclusions),
        Part("Doses", doses),
        Part("Covariates", covariates),
        Part("Raw profiles", profiles),
    ),
)
