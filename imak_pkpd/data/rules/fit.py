"""Rules that need the fit: what its outputs, doses and covariates expect of the data.

Each is called with a table whose `expectations` are known.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool

from imak_pkpd.data.censoring import INTERVAL, RIGHT
from imak_pkpd.data.finding import Finding
from imak_pkpd.data.names import DESCRIPTIVE
from imak_pkpd.data.number import missing_codes
from imak_pkpd.data.table import Table

Rows = Bool[np.ndarray, " row"]


def unknown_compartment(table: Table) -> Iterator[Finding]:
    """CMT-INPUT: a dose into a compartment that is no input of the fit."""
    inputs = table.block.inputs
    listed = ", ".join(f"{n} ({name})" for n, name in inputs.items()) or "none"
    yield from table.find(
        table.dosed & ~np.isin(table.cmt, list(inputs)),
        "CMT-INPUT",
        "CMT",
        f"the inputs of the fit are {listed}",
        'add it under [data] as inputs = { 1 = "dose name" }, or correct CMT',
    )


def _dosed_into(table: Table, names: frozenset[str]) -> Rows:
    numbers = [number for number, name in table.block.inputs.items() if name in names]
    return table.dosed & np.isin(table.cmt, numbers)


def modelled_rate(table: Table) -> Iterator[Finding]:
    """RATE-MODELLED: RATE = -1 where the model has no rate parameter."""
    known = _dosed_into(table, table.expected.modelled_rate)
    yield from table.find(
        table.dosed & (table.number("RATE") == -1) & ~known,
        "RATE-MODELLED",
        "RATE",
        "the model gives no rate for this dose",
        "return Dosing(rate=…) from the model's dosing, or give RATE > 0",
    )


def modelled_duration(table: Table) -> Iterator[Finding]:
    """DUR-MODELLED: RATE = -2 where the model has no duration parameter."""
    known = _dosed_into(table, table.expected.modelled_duration)
    yield from table.find(
        table.dosed & (table.number("RATE") == -2) & ~known,
        "DUR-MODELLED",
        "RATE",
        "the model gives no duration for this dose",
        "return Dosing(duration=…) from the model's dosing, or give RATE > 0",
    )


def unknown_output(table: Table) -> Iterator[Finding]:
    """DVID-UNKNOWN: an observation that no output of the fit explains."""
    listed = ", ".join(f"{n} = {o.dvid}" for n, o in table.expected.outputs.items())
    yield from table.find(
        table.observed & (table.output < 0),
        "DVID-UNKNOWN",
        "DVID",
        f"the outputs of the fit are {listed or 'none'}",
        "add the output with its dvid, or exclude these rows with a reason",
    )


def several_outputs_in_one(table: Table) -> Iterator[Finding]:
    """DVID-UNKNOWN: one output without dvid would swallow several DVIDs."""
    open_output = len(table.outputs) == 1 and table.outputs[0].dvid is None
    rows = np.flatnonzero(table.observed & table.sound)
    dvid = table.number("DVID")[rows]
    other = rows[~np.isnan(dvid) & (dvid != dvid[:1])]
    if open_output and len(other) and not np.isnan(dvid[0]):
        yield table.finding(
            int(other[0]),
            "DVID-UNKNOWN",
            "DVID",
            "the fit's only output says no dvid, and the file has several",
            "write dvid under the output, and exclude the other rows with a reason",
        )


def unit_of_dv(table: Table) -> Iterator[Finding]:
    """DV-UNIT: the file says in AVALU that DV has another unit than the output.

    A count has none, whatever its output is.
    """
    stated = np.array(table.standard["AVALU"].cells, str)
    said = ~np.isin(stated, [*missing_codes(table.block.missing).texts])
    for place, output in enumerate(table.outputs):
        if output.unit is None or output.count is not None:
            continue
        yield from table.find(
            (table.output == place) & said & (stated != output.unit),
            "DV-UNIT",
            "AVALU",
            f"the output is in '{output.unit}'",
            "convert DV and its limit, or, if only the spelling differs, write the "
            'unit as the model does or drop = ["AVALU"] under [data]',
        )


def positive_dv(table: Table) -> Iterator[Finding]:
    """DV-LOG: DV (or its limit) of 0 or less under a log-normal error."""
    censored = table.censored
    lowest = np.where(censored.censor == INTERVAL, censored.lower, censored.value)
    lowest = np.where(censored.censor == RIGHT, np.inf, lowest)
    highest = np.where(censored.censor == RIGHT, np.inf, censored.value)
    yield from table.find(
        table.observed & table.lognormal & (np.minimum(lowest, highest) <= 0),
        "DV-LOG",
        "DV",
        "the output's error is log-normal: a number above 0 was expected",
        "mark it as censored with its limit, or choose another error",
    )


def covariate_rule(table: Table) -> Iterator[Finding]:
    """COV-RULE: a covariate of the fit without a carrying rule."""
    for name in sorted(table.expected.covariates - set(table.block.covariates)):
        message = f"column '{name}' is used as a covariate without a carrying rule"
        hint = f'write covariates = {{ {name} = "constant" }} (or locf, nocb, linear)'
        yield table.of_file("COV-RULE", name, message, hint, "error")


def covariate_under_log(table: Table) -> Iterator[Finding]:
    """COV-LOG: a covariate of 0 or less under a logarithm."""
    for name in sorted(table.expected.log_covariates & set(table.covariates)):
        yield from table.find(
            table.covariates[name].values <= 0,
            "COV-LOG",
            name,
            "a power effect takes its logarithm: a number above 0 was expected",
            "correct the value, declare its code as missing, or use a linear effect",
        )


def covariate_of_words(table: Table) -> Iterator[Finding]:
    """COV-NUM: words where an effect needs numbers."""
    for name in sorted(table.expected.number_covariates & set(table.covariates)):
        levels = table.covariates[name].levels
        if levels:
            message = (
                f"{name} holds words such as '{levels[0]}' where numbers are needed"
            )
            yield table.of_file(
                "COV-NUM", name, message, 'use form = "categorical"', "error"
            )


def unused_column(table: Table) -> Iterator[Finding]:
    """COLUMN-UNUSED: a column nobody uses."""
    block = table.block
    used = {*table.names.values(), *table.covariates, *block.drop, *DESCRIPTIVE}
    used |= {exclude.column for exclude in block.exclude}
    used |= {column for column in (block.date, block.clock) if column is not None}
    for name in table.header:
        if name not in used:
            message = f"column '{name}' is not used"
            hint = f'write drop = ["{name}"] under [data] if that is meant'
            yield table.of_file("COLUMN-UNUSED", name, message, hint, "warning")
