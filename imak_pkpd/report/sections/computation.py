"""Computation: may the draws be used? Checks, chains, rank and trace plots, cost."""

import json
from collections.abc import Iterator, Mapping

import numpy as np
from matplotlib.figure import Figure as Canvas
from scipy.stats import rankdata

from imak_pkpd.check.posterior import Drawn, population_arrays
from imak_pkpd.report.blocks import (
    Block,
    Figure,
    Light,
    NotRun,
    Part,
    Prose,
    Section,
    Table,
)
from imak_pkpd.report.figure import PALE, SERIES, figure
from imak_pkpd.report.run import MissingError, Run

MOST_TRACES = 8
"""Rank and trace plots are drawn for the parameters with the largest R-hat."""

RANK_BINS = 20


def checks(run: Run) -> Iterator[Block]:
    """Every check of the draws, and those that could not be made."""
    found = run.diagnostics
    lights: list[Light] = ["pass" if f.passed else "fail" for f in found.findings]
    rows = [
        {
            "check": finding.check,
            "value": finding.value,
            "limit": finding.limit,
            "in words": finding.message,
        }
        for finding in found.findings
    ]
    if rows:
        caption = "Checks of the draws against their limits."
        yield Table("checks", caption, rows, lights, digits=4)
    for missing in found.not_run:
        yield NotRun(missing.check, missing.reason)


def chains(run: Run) -> Iterator[Block]:
    """What each chain did in warm-up and afterwards."""
    rows = [
        row
        for group, phase in (("warmup", "warm-up"), ("sample_stats", "kept"))
        if group in run.tree.children
        for row in _chain_rows(run, group, phase)
    ]
    if not rows:
        raise MissingError("the run has neither “sample_stats” nor “warmup”")
    yield Table("chains", "Each chain, in warm-up and in the kept draws.", rows)
    settings = run.fact("estimation", default={}) | run.fact("solver", default={})
    if settings:
        said = [
            {"setting": key, "value": str(value)} for key, value in settings.items()
        ]
        yield Table("settings", "Settings of sampler and solver.", said)
    if run.fact("choices", "solver", "why"):
        yield Prose(solver_words(run.fact("choices", "solver")))


CROSSED = {
    "mesh": "explicit Runge-Kutta steps (Tsitouras 5(4))",
    "split": "explicit Runge-Kutta steps, the drugs in closed form",
    "rosenbrock": "linearly implicit steps (RODAS 4(3)), as suits a stiff model",
}
"""How a mesh is crossed, by [solver] method."""


def solver_words(chosen: Mapping[str, str]) -> str:
    """How the mesh of the patients was crossed, and why."""
    crossed = CROSSED[chosen["method"]]
    return f"The equations were solved by {crossed}. Why: {chosen['why']}."


CERTIFICATE = {
    "draws": "posterior draws that were solved again by the adaptive reference",
    "sd": "SD of the difference of the log-likelihood",
    "p99": "99th percentile of its distance from its median",
    "limit": "limit of that percentile",
    "k_hat": "k-hat of the weights that would remove the difference",
    "efficiency": "share of the draws that these weights would leave (ESS)",
    "mesh_failed": "draws, rejected proposals included, that fail on our steps alone",
    "worst": "where the difference spreads most",
}
"""What the certificate says, by key."""


def certificate(run: Run) -> Iterator[Block]:
    """How far the solver's error moved the posterior."""
    said = json.loads(str(run.tree.attrs.get("certificate", "null")))
    if not said:
        raise MissingError("the equations were solved without steps of our making")
    rows = [
        {"figure": title, "value": said[key]}
        for key, title in CERTIFICATE.items()
        if said.get(key) not in (None, "")
    ]
    caption = "The solver's certificate: log-likelihood by the reference less ours."
    light: Light = "pass" if said["certified"] else "fail"
    yield Table("certificate", caption, rows, [light] * len(rows), digits=3)


def _chain_rows(run: Run, group: str, phase: str) -> Iterator[dict[str, object]]:
    statistics = run.need(group)
    for k, chain in enumerate(statistics["chain"].values):
        one = statistics.isel(chain=k)
        row: dict[str, object] = {"phase": phase, "chain": str(chain)}
        row["draws"] = int(one.sizes["draw"])
        for title, name, summary in (
            ("mean acceptance", "acceptance_rate", np.mean),
            ("last step size", "step_size", lambda x: x[-1]),
            ("mean leapfrogs", "n_steps", np.mean),
            ("divergences", "diverging", _count),
            ("tree depth reached", "reached_max_treedepth", _count),
            ("draws with failed solves", "failed_solves", _count),
        ):
            value = np.asarray(one[name].values) if name in one else np.empty(0)
            row[title] = summary(value) if value.size else np.nan
        yield row


def _count(values: np.ndarray) -> int:
    return int(np.sum(values > 0))


def traces(run: Run) -> Iterator[Block]:
    """Trace and rank plots of the parameters that mix worst."""
    run.need("posterior")
    if run.parameters.empty:
        raise MissingError("no population parameter varies")
    ordered = run.parameters.sort_values("rhat", ascending=False)
    drawn = population_arrays(run.tree)
    worst = {str(name): drawn[name] for name in ordered["name"][:MOST_TRACES]}
    yield trace_figure(run, worst, "the parameters with the largest R-hat")


def trace_figure(run: Run, drawn: dict[str, Drawn], whose: str) -> Figure:
    """Trace and rank plots of some parameters, a line each."""
    return figure(
        run,
        "traces",
        lambda canvas: _draw_traces(canvas, drawn),
        alt=f"Trace and rank plots of {whose}; chains should overlap and ranks should "
        "be level.",
        caption=f"Trace (left) and rank plots (right) of {whose}, one colour per "
        "chain. Chains that agree have ranks near the grey line.",
        size=(7.4, 1.35 * len(drawn)),
    )


def _draw_traces(canvas: Canvas, drawn: dict[str, Drawn]) -> None:
    grid = canvas.subplots(len(drawn), 2, squeeze=False, width_ratios=[3, 2])
    for (left, right), (name, value) in zip(grid, drawn.items(), strict=True):
        ranks = rankdata(value).reshape(value.shape)
        edges = np.linspace(0.5, value.size + 0.5, RANK_BINS + 1)
        right.axhline(value.shape[1] / RANK_BINS, color=PALE, zorder=0)
        every = max(1, value.shape[1] // 400)  # dots beyond the figure's resolution
        for k in range(len(value)):
            colour = SERIES[k % len(SERIES)]
            left.plot(value[k, ::every], color=colour, linewidth=0.6, alpha=0.8)
            counts, _ = np.histogram(ranks[k], edges)
            right.stairs(counts, edges, color=colour, linewidth=1.2)
        left.set_ylabel(name, rotation=0, ha="right", va="center")
        left.set_xticks([])
        right.set_xticks([])
        right.set_yticks([])
        right.set_ylim(bottom=0)
    grid[-1, 0].set_xlabel("draw")
    grid[-1, 1].set_xlabel("rank")


def cost(run: Run) -> Iterator[Block]:
    """CPU seconds and gradient evaluations by phase."""
    seconds = run.fact("result", "cpu_s", default={}) or {}
    steps = run.fact("result", "leapfrogs", default={}) or {}
    if not seconds and not steps:
        raise MissingError("run.json has no figures of cost")
    rows = [
        {
            "phase": phase,
            "CPU seconds": seconds.get(phase, np.nan),
            "gradient evaluations": steps.get(phase, np.nan),
        }
        for phase in {**seconds, **steps}
    ]
    yield Table("cost", "Cost by phase, all chains together.", rows)


SECTION = Section(
    "computation",
    "Computation",
    (
        Part("Checks", checks),
        Part("Chains", chains),
        Part("Solver", certificate),
        Part("Trace and rank plots", traces),
        Part("Cost", cost),
    ),
)
