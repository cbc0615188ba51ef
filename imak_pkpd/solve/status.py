"""Why a subject could not be solved: a value per subject, counted and reported."""

import enum


class SolveStatus(enum.IntEnum):
    """`ok`, or the first thing that went wrong for one subject.

    `advice` is what a user reads beside the count.
    """

    ok = 0
    not_finite = 1
    too_many_steps = 2
    no_steady_state = 3
    past_doses = 4
    lost = 5

    @property
    def advice(self) -> str:
        return _ADVICE[self]


_ADVICE = {
    SolveStatus.ok: "solved",
    SolveStatus.not_finite: "a state became NaN or beyond 1e250: look at the priors of "
    "the parameters named, or refine [solver] tolerance",
    SolveStatus.too_many_steps: "the adaptive solver used all its steps: the model is "
    "stiff here, or a parameter is far from any plausible value; try [solver] method = "
    '"rosenbrock"',
    SolveStatus.no_steady_state: "no steady state was found: elimination may be slower "
    "than the input at these parameters",
    SolveStatus.past_doses: "a lag or an infusion reaches more steady-state intervals "
    "back than are kept: shorten it or write the earlier doses as records",
    SolveStatus.lost: "a step was far too long for this draw, as for a process much "
    "faster than others: refine [solver] tolerance",
}
