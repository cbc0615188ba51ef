"""`Table`: the rows of the file with their columns as numbers: what the rules look at.

It also holds what follows from the columns alone: EVID where it is missing, who is
observed, which compartment a dose enters, which output a row belongs to, what is
censored. `find` turns a mask of rows into findings.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from imak_pkpd.data.block import DataBlock
from imak_pkpd.data.censoring import Censored, CensoringItems, censor
from imak_pkpd.data.column import Column
from imak_pkpd.data.expectations import Expectations, ExpectedOutput
from imak_pkpd.data.finding import Finding, Severity, quoted
from imak_pkpd.data.names import DOSE_ALIASES
from imak_pkpd.data.number import missing_codes, read_number

Values = Float[np.ndarray, " row"]
Rows = Bool[np.ndarray, " row"]


@dataclass(frozen=True)
class Table:
    """Rows of the file, without excluded and ragged ones.

    `names` standard name -> file column; `standard` the columns by standard name, all
    of them; `covariates` declared covariates and further columns by file column;
    `extra` the further ones; `run` numbers stretches of rows of one ID.
    """

    block: DataBlock
    expectations: Expectations | None
    header: tuple[str, ...]
    names: Mapping[str, str]
    line: Int[np.ndarray, " row"]
    subject: tuple[str, ...]
    run: Int[np.ndarray, " row"]
    standard: Mapping[str, Column]
    covariates: Mapping[str, Column]
    extra: tuple[str, ...]
    exclusions: Mapping[str, int]

    def has(self, name: str) -> bool:
        """Whether the file has a column for a standard name."""
        return name in self.names

    def number(self, name: str) -> Values:
        """A standard column, NaN where missing or faulty."""
        return self.standard[name].values

    def filled(self, name: str) -> Values:
        """A standard column with 0 for what is missing."""
        return np.nan_to_num(self.number(name))

    @cached_property
    def sound(self) -> Rows:
        """Rows whose standard cells can all be read: only they are judged further."""
        sound = np.ones(len(self.line), bool)
        for column in self.standard.values():
            sound[list(column.faults)] = False
        return sound

    @cached_property
    def amt(self) -> Values:
        """AMT, 0 if missing; a dose column of ADPPK counts on dose records only."""
        amount = self.filled("AMT")
        if self.names.get("AMT") not in DOSE_ALIASES:
            return amount
        observed = (
            self.filled("EVID") == 0
            if self.has("EVID")
            else ~np.isnan(self.number("DV"))
        )
        return np.where(observed, 0.0, amount)

    @cached_property
    def evid(self) -> Values:
        """EVID; where missing 1 with a dose, 2 with MDV = 1, else 0."""
        steady = (self.filled("RATE") > 0) & (self.filled("SS") > 0)
        other = np.where(self.number("MDV") == 1, 2.0, 0.0)
        inferred = np.where((self.amt > 0) | steady, 1.0, other)
        return np.where(np.isnan(self.number("EVID")), inferred, self.number("EVID"))

    @cached_property
    def dosed(self) -> Rows:
        """Dose records."""
        return (self.evid == 1) | (self.evid == 4)

    @cached_property
    def measured_dose(self) -> Rows:
        """Records of another kind that MDV = 0 says are observations too."""
        return (
            (self.evid != 0) & (self.number("MDV") == 0) & ~np.isnan(self.number("DV"))
        )

    @cached_property
    def observed(self) -> Rows:
        """Observations: EVID 0 unless MDV is 1, and `measured_dose`."""
        return ((self.evid == 0) & (self.filled("MDV") != 1)) | self.measured_dose

    @cached_property
    def cmt(self) -> Values:
        """CMT; missing or 0 is the only input (1 where no inputs are declared)."""
        inputs = tuple(self.block.inputs) or (1,)
        default = float(inputs[0]) if len(inputs) == 1 else np.nan
        return np.where(self.filled("CMT") == 0, default, self.number("CMT"))

    @property
    def expected(self) -> Expectations:
        """What the fit expects; a single open output when no fit is known."""
        return self.expectations or Expectations({"": ExpectedOutput()})

    @property
    def outputs(self) -> tuple[ExpectedOutput, ...]:
        """The fit's outputs in order."""
        return tuple(self.expected.outputs.values())

    @cached_property
    def output(self) -> Int[np.ndarray, " row"]:
        """The place of each row's output in the fit; -1: not observed, or unknown."""
        place = np.full(len(self.line), -1)
        for index, (name, output) in enumerate(self.expected.outputs.items()):
            place[self._reports(name, output)] = index
        return np.where(self.observed, place, -1)

    def _reports(self, name: str, output: ExpectedOutput) -> Rows:
        """The rows whose DVID is this output's number, word or name."""
        column = self.standard["DVID"]
        if output.dvid is None and len(self.outputs) == 1:
            return np.ones(len(self.line), bool)
        if column.levels:
            words = (name, str(output.dvid))
            return np.array([cell in words for cell in column.cells], bool)
        return column.values == read_number(str(output.dvid), missing_codes())[0]

    @cached_property
    def lloq(self) -> Values:
        """The row's LLOQ, else the one of its output in the fit."""
        limits = [np.nan if o.lloq is None else o.lloq for o in self.outputs]
        declared = np.array([*limits, np.nan])[self.output]
        own = self.number("LLOQ")
        return np.where(np.isnan(own), declared, own)

    @cached_property
    def lognormal(self) -> Rows:
        """Rows whose output has a log-normal error."""
        return np.array([*(o.lognormal for o in self.outputs), False])[self.output]

    def per_row(self, of: float | str) -> Values:
        """A number of the fit, or its column; NaN where the column has no number."""
        if not isinstance(of, str):
            return np.full(len(self.line), float(of))
        column = self.covariates[of]
        return np.full(len(self.line), np.nan) if column.levels else column.values

    @cached_property
    def count_columns(self) -> frozenset[str]:
        """Columns that only the rows of a count need (their own rules judge them)."""
        counts = [output.count.of for output in self.outputs if output.count]
        return frozenset(of for of in counts if isinstance(of, str))

    @cached_property
    def censored(self) -> Censored:
        """What is censored, on the observed rows."""

        def seen(name: str) -> Values:
            return np.where(self.observed, self.number(name), np.nan)

        items = CensoringItems(
            dv=seen("DV"),
            cens=seen("CENS"),
            blq=seen("BLQ"),
            limit=seen("LIMIT"),
            lloq=self.lloq,
            explicit=self.has("CENS") or self.has("BLQ"),
            positive=self.lognormal,
        )
        return censor(items)

    def find(
        self,
        rows: Rows,
        rule: str,
        column: str,
        expected: str,
        hint: str = "",
        severity: Severity = "error",
    ) -> Iterator[Finding]:
        """One finding per row of a mask, as far as the row can be read."""
        for row in np.flatnonzero(rows & self.sound):
            yield self.finding(int(row), rule, column, expected, hint, severity)

    def finding(
        self,
        row: int,
        rule: str,
        column: str,
        expected: str,
        hint: str = "",
        severity: Severity = "error",
    ) -> Finding:
        """`COLUMN is 'cell' (expected)` at a row, for a standard or file column."""
        name, cell = self.names.get(column, column), self.cell(row, column)
        got = f"is {quoted(cell)}" if cell else "is missing"
        message = f"{name} {got} ({expected})"
        who = self.subject[row] or None
        return Finding(
            rule, severity, int(self.line[row]), who, name, cell, message, hint
        )

    def cell(self, row: int, column: str) -> str:
        """The text of a cell, '' where the file has no such column."""
        both = self.standard.get(column) or self.covariates.get(column)
        return both.cells[row] if both else ""

    def of_file(
        self, rule: str, column: str | None, message: str, hint: str, severity: Severity
    ) -> Finding:
        """A finding that concerns a whole column or file."""
        return Finding(rule, severity, 1, None, column, "", message, hint)
