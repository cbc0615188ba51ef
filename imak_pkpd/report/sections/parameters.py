"""Parameter table: typical values, variability, residual errors."""

from collections.abc import Iterator

import numpy as np

from imak_pkpd.check.convergence import ESS, RHAT
from imak_pkpd.check.parameter_table import INTERVAL
from imak_pkpd.report.blocks import Block, Light, Part, Prose, Section, Table
from imak_pkpd.report.facts import joint_blocks, prior
from imak_pkpd.report.run import Run


def population(run: Run) -> Iterator[Block]:
    """Every population parameter with its interval, prior, %CV and shrinkage."""
    run.need("posterior")
    rows, lights = [], []
    for one in run.parameters.to_dict("records"):
        name = str(one["name"])
        rows.append(
            {
                "parameter": name,
                "unit": one["unit"],
                "median": one["median"],
                "2.5 %": one["lower"],
                "97.5 %": one["upper"],
                "prior": prior_of(run, name),
                "%CV": coefficient_of_variation(run, name, one["median"]),
                "shrinkage (%)": 100 * one["shrinkage"],
                "R-hat": one["rhat"],
                "bulk ESS": _whole(one["ess_bulk"]),
                "tail ESS": _whole(one["ess_tail"]),
            }
        )
        lights.append(_light(one["rhat"], min(one["ess_bulk"], one["ess_tail"])))
    yield Table(
        "parameters",
        f"Population parameters: posterior median and {INTERVAL}.",
        rows,
        lights,
        digits=4,
    )
    yield Prose(
        "omega: SD between patients on the parameter's scale; %CV from its median, "
        "100·√(exp(ω²) − 1) for log-normal parameters. Shrinkage: 1 − SD of the "
        f"patients' mean effects / omega. The light is R-hat ≤ {RHAT} and both ESS ≥ "
        f"{ESS:.0f}."
    )


def _whole(size: float) -> int | float:
    """A sample size without decimals."""
    return size if np.isnan(size) else round(size)


def _light(rhat: float, ess: float) -> Light:
    if np.isnan(rhat):
        return "not run"
    return "pass" if rhat <= RHAT and ess >= ESS else "fail"


def prior_of(run: Run, name: str) -> str:
    """The prior of a posterior variable, in the words of the fit file."""
    tables = run.facts.tables
    typical = name.removesuffix("_pop").removeprefix("theta_")
    if typical in run.facts.parameters:
        return run.facts.parameters[typical].prior
    if name.removeprefix("omega_") in tables.get("omega", {}):
        return prior(tables["omega"][name.removeprefix("omega_")])
    for _, block in joint_blocks(tables):
        members = block.get("parameters", ())
        pairs = {f"corr_{a}_{b}" for a in members for b in members}
        if name in pairs | {f"omega_{a}" for a in members}:
            return prior(block)
    for parameter, columns in tables.get("covariate", {}).items():
        for column, effect in columns.items():
            if name.startswith(f"beta_{parameter}_{column}"):
                found = [prior(e) for e in effect.values() if prior(e) != "–"]
                return found[0] if found else "–"
    for output, table in tables.get("output", {}).items():
        if name.startswith(f"{output}_"):
            return prior(table.get(name.removeprefix(f"{output}_")))
    return "–"


def coefficient_of_variation(run: Run, name: str, omega: float) -> float:
    """%CV of a log-normal parameter from its omega; NaN for other variables."""
    parameter = run.facts.parameters.get(name.removeprefix("omega_"))
    if not name.startswith("omega_") or parameter is None or parameter.scale != "log":
        return np.nan
    return 100 * float(np.sqrt(np.expm1(omega**2)))


SECTION = Section("parameters", "Parameters", (Part("Population", population),))
