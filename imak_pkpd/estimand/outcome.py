"""[estimand] kinds that are the probability of an outcome.

    cr       = { kind = "remission", output = "tumour", visits = [28, 60, 90],
                 below = 1e9, spread = 0.46 }
    negative = { kind = "negative", output = "positive", visits = [6, 7, 8],
                 cells = 500, cut = 3 }
    cure     = { kind = "extinction", clones = { ln_sensitive = "kill_sensitive" },
                 growth = "g", turnover = "turn", clonogenic = "share" }

They are smooth: a remission seen with a reading error, a count of scored cells, cells
that die out by chance. A patient's outcome is drawn with that probability.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

import jax.numpy as jnp
from jax.scipy.special import betainc
from jax.scipy.stats import norm
from jaxtyping import Array, Float
from pydantic import Field

from imak_pkpd.estimand.block import (
    AbstractEstimand,
    Days,
    Estimates,
    Level,
    Positive,
    Reading,
    level_read,
    level_words,
)
from imak_pkpd.estimand.extinction import Clone, log_minus_log_cure
from imak_pkpd.solve.curve import logarithm, value_at

Count = Annotated[int, Field(ge=0)]


class AbstractChance(AbstractEstimand):
    """The probability of an outcome."""

    @property
    def is_chance(self) -> bool:
        return True


class RemissionEstimand(AbstractChance):
    """P(the output is below a level at one of the visits).

    The level is read with an error: its logarithm has the SD `spread`, which is
    integrated out: P = Phi((ln below - min over visits of ln output)/spread).
    """

    kind: Literal["remission"]
    output: str
    visits: Days
    below: Level
    spread: Positive

    @property
    def outputs_read(self) -> Mapping[str, str]:
        return {"output": self.output, **level_read("below", self.below)}

    @property
    def reach(self) -> float | None:
        return max(self.visits)

    def estimate(self, reading: Reading) -> Estimates:
        logs = logarithm(reading.outputs[self.output])
        seen = value_at(logs, reading.start + jnp.asarray(self.visits))
        distance = jnp.log(reading.level(self.below)) - jnp.min(seen)
        return {"value": norm.cdf(distance / self.spread)}

    def definition(self, units: Mapping[str, str]) -> str:
        level = level_words(self.below, units.get(self.output, ""))
        return (
            f"P({self.output} below {level} (SD of its ln: {self.spread:g}) at one of "
            f"{_listed(self.visits, units)} after {self.since})"
        )


class NegativeEstimand(AbstractChance):
    """P(at most `cut` of `cells` scored cells are positive), the mean over visits.

    The output is the share of positive cells, false ones included.
    """

    kind: Literal["negative"]
    output: str
    visits: Days
    cells: Annotated[int, Field(ge=1)]
    cut: Count

    @property
    def outputs_read(self) -> Mapping[str, str]:
        return {"output": self.output}

    @property
    def reach(self) -> float | None:
        return max(self.visits)

    def estimate(self, reading: Reading) -> Estimates:
        times = reading.start + jnp.asarray(self.visits)
        share = value_at(reading.outputs[self.output], times)
        return {"value": jnp.mean(at_most(self.cut, self.cells, share))}

    def definition(self, units: Mapping[str, str]) -> str:
        return (
            f"P(at most {self.cut} of {self.cells} scored cells are {self.output}), "
            f"mean over {_listed(self.visits, units)} after {self.since}"
        )


class ExtinctionEstimand(AbstractEstimand):
    """P(no clonogenic cell of any clone survives), by `scale` itself or ln(-ln P).

    The latter is a number where P is 0 or 1 to rounding, and has a slope there: its
    smallest value is the surest cure. `clones` are outputs: ln of cells, and what kills
    them per cell and time. `growth` and `turnover` are parameters of the model,
    `clonogenic` is an output.
    """

    kind: Literal["extinction"]
    clones: Annotated[dict[str, str], Field(min_length=1)]
    growth: str
    turnover: str
    clonogenic: str
    scale: Literal["chance", "ln(-ln)"] = "chance"

    @property
    def is_chance(self) -> bool:
        return self.scale == "chance"

    @property
    def outputs_read(self) -> Mapping[str, str]:
        cells = {f"clones.{name}": name for name in self.clones}
        kills = {f"clones.{name}.kill": kill for name, kill in self.clones.items()}
        return {**cells, **kills, "clonogenic": self.clonogenic}

    @property
    def parameters_read(self) -> Mapping[str, str]:
        return {"growth": self.growth, "turnover": self.turnover}

    def estimate(self, reading: Reading) -> Estimates:
        found = log_minus_log_cure(
            [
                Clone(reading.outputs[cells], reading.outputs[kill])
                for cells, kill in self.clones.items()
            ],
            reading.start,
            growth=reading.parameters[self.growth],
            turnover=reading.parameters[self.turnover],
            clonogenic=reading.level(self.clonogenic),
        )
        return {"value": jnp.exp(-jnp.exp(found)) if self.is_chance else found}

    def definition(self, units: Mapping[str, str]) -> str:
        chance = f"P(no clonogenic cell survives of {' and '.join(self.clones)})"
        said = chance if self.is_chance else f"ln(-ln {chance})"
        return f"{said}, treatment from {self.since} on; Kendall 1948"


def at_most(cut: int, scored: int, share: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """P(K <= cut) of K ~ Binomial(scored, share)."""
    if cut >= scored:
        return jnp.ones_like(share)
    inside = jnp.clip(share, 1e-15, 1.0 - 1e-15)  # betainc has no slope at its ends
    a, b = jnp.asarray(float(scored - cut)), jnp.asarray(cut + 1.0)
    return betainc(a, b, 1.0 - inside)


def _listed(visits: Days, units: Mapping[str, str]) -> str:
    return f"{units.get('time', 'time')} {', '.join(f'{v:g}' for v in visits)}"
