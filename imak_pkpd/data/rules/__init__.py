"""The rules of the findings table: each a small function from a table to findings.

`FORM_RULES` need the text alone, `FILE_RULES` the columns, `FIT_RULES` the fit.
"""

from collections.abc import Callable, Iterator

from imak_pkpd.data.finding import Finding
from imak_pkpd.data.rules import (
    cells,
    counts,
    covariates,
    doses,
    events,
    fit,
    observations,
    subjects,
)
from imak_pkpd.data.rules.form import (
    FORM_RULES as FORM_RULES,
    GO_ON as GO_ON,
    Form as Form,
)
from imak_pkpd.data.table import Table

Rule = Callable[[Table], Iterator[Finding]]

FILE_RULES: tuple[Rule, ...] = (
    cells.not_a_number,
    cells.decimal_comma,
    cells.time_not_finite,
    cells.beyond_float,
    cells.calendar_format,
    cells.id_missing,
    cells.nul_byte,
    cells.time_missing,
    cells.evid_range,
    cells.mdv_range,
    cells.cens_range,
    cells.blq_range,
    cells.ss_range,
    cells.cmt_integer,
    cells.addl_integer,
    subjects.returning_id,
    subjects.time_order,
    subjects.no_dose,
    subjects.no_observation,
    doses.dose_without_event,
    doses.negative_dose,
    doses.dose_of_nothing,
    doses.rate_range,
    doses.negative_duration,
    doses.rate_against_duration,
    doses.further_doses_without_interval,
    doses.steady_state_without_interval,
    doses.evid_inferred,
    doses.event_without_compartment,
    doses.rate_not_mapped,
    observations.missing_dv,
    observations.censored_without_limit,
    observations.limit_order,
    observations.mdv_against_evid,
    observations.replicates,
    observations.below_limit_yet_measured,
    observations.limit_below_dv,
    observations.limit_is_a_logarithm,
    observations.limit_off_all_values,
    covariates.changing_constant,
    covariates.covariate_missing,
    covariates.missing_at_first,
    covariates.missing_at_last,
    covariates.linear_words,
    covariates.gap_in_column,
)
"""Rules of the data file alone."""

FIT_RULES: tuple[Rule, ...] = (
    fit.unknown_compartment,
    fit.modelled_rate,
    fit.modelled_duration,
    fit.unknown_output,
    fit.several_outputs_in_one,
    fit.unit_of_dv,
    fit.positive_dv,
    fit.covariate_rule,
    fit.covariate_under_log,
    fit.covariate_of_words,
    fit.unused_column,
    counts.not_whole,
    counts.beyond_trials,
    counts.unknown_answer,
    counts.unknown_grade,
    counts.no_trials,
    counts.no_exposure,
    events.not_an_event,
    events.after_the_event,
    events.limited_event,
    events.empty_window,
)
"""Rules that need what a fit expects."""
