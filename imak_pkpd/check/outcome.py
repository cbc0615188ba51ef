"""`outcome`: the figures of a finished fit as `run.json` keeps them."""

from imak_pkpd.check.convergence import Diagnostics
from imak_pkpd.fit.record import Result
from imak_pkpd.fit.sample import Draws


def outcome(
    diagnostics: Diagnostics, draws: Draws, solver_khat: float | None = None
) -> Result:
    """The `Result` of a fit: None where a check could not be made."""

    def count(check: str) -> int | None:
        value = diagnostics.value(check)
        return None if value is None else int(value)

    return Result(
        passed=diagnostics.passed,
        verdict=diagnostics.verdict,
        rhat_max=diagnostics.value("R-hat"),
        ess_bulk_min=diagnostics.value("bulk ESS"),
        ess_tail_min=diagnostics.value("tail ESS"),
        divergences=count("divergences"),
        treedepth_hits=count("tree depth"),
        ebfmi_min=diagnostics.value("E-BFMI"),
        failed_solves=count("failed solves"),
        solver_error=diagnostics.value("solver accuracy"),
        solver_khat=solver_khat,
        draws_sha256=draws.sha256,
        cpu_s=dict(draws.cpu_s),
        leapfrogs=dict(draws.leapfrogs),
    )
