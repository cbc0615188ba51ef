"""`trial_of_run`: the trial of a run folder, by its [trial] as it is now."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from imak_pkpd.choice import TrialBlock
from imak_pkpd.decide.draws import cohort_draws
from imak_pkpd.decide.finished_run import FinishedRun, read_finished
from imak_pkpd.decide.of_run import with_states
from imak_pkpd.decide.seen import doses_seen
from imak_pkpd.decide.table import UNSOLVED, outside
from imak_pkpd.decide.trial.characteristics import Characteristics, characteristics
from imak_pkpd.decide.trial.simulate import Trials, simulate_trials
from imak_pkpd.fit.spec import FitSpec

Seen = Mapping[str, tuple[float, float] | None]


@dataclass(frozen=True)
class TrialOfRun:
    """The trials, what they show, and the doses that the data of the run know.

    `units` by output of the model, and of "time".
    """

    run: FinishedRun
    trials: Trials
    shown: Characteristics
    seen: Seen
    units: Mapping[str, str]

    @property
    def time(self) -> str:
        """The model's unit of time."""
        return self.units["time"]

    def extrapolated(self, arm: str) -> tuple[str, ...]:
        """The amounts of an arm that are beyond those seen."""
        amounts = self.trials.block.arm[arm].amount
        return tuple(
            name
            for name, each in amounts.items()
            if outside(each.planned, self.seen.get(name))
        )

    @property
    def unsolved(self) -> tuple[str, ...]:
        """The arms with too many patients who could not be solved."""
        shares = self.trials.unsolved
        return tuple(arm for arm, share in shares.items() if share > UNSOLVED)


def trial_of_run(
    run: Path, stage: Callable[[str], None] = lambda text: None
) -> TrialOfRun:
    """Simulated at draws of a finished run."""
    finished = read_finished(run)
    spec, block = finished.spec, trial_of(finished.spec)
    model = with_states(spec)
    sites = cohort_draws(finished, model, block.cohort)
    named = dict.fromkeys(n for arm in block.arm.values() for n in arm.amount)
    seen = doses_seen(spec, block.cohort, named)
    trials = simulate_trials(spec, block, model, sites, stage)
    units = {**model.outputs, "time": model.time}
    return TrialOfRun(finished, trials, characteristics(trials), seen, units)


def trial_of(spec: FitSpec) -> TrialBlock:
    """The [trial] of a fit file; a `ValueError` where there is none."""
    if spec.trial is None:
        raise ValueError(
            f"{spec.path.name} has no [trial]: write which cohort is treated, its arms "
            "and its endpoints"
        )
    return spec.trial
