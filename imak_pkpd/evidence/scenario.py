"""[scenario.NAME] of a fit file: the same virtual patients, one thing otherwise.

    [scenario.no_rejection]
    set = { rej_kap = 0.0 }                    # this value in every patient

    [scenario.larger]
    times = { tum_kap = 3.0 }                  # each patient's value, times this
    add = { tum_log10B0 = 1.0 }                # each patient's value, plus this
    amounts = { cells = 3.0, il2 = 0.0 }       # doses, times this
    share = { unrelated = 1.0 }                # of a group, instead of the cohort's

Values are changed after the random effects: zero switches a process off in everyone.
"""

from typing import Annotated

import jax.numpy as jnp
from jaxtyping import Array, Float
from pydantic import BaseModel, ConfigDict, Field, model_validator

from imak_pkpd.evidence.design import CohortBlock
from imak_pkpd.population.refusal import refusal

Number = Annotated[float, Field(allow_inf_nan=False)]
Factor = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
CHANGES = ("set", "times", "add", "amounts", "share")


class ScenarioBlock(BaseModel):
    """What is otherwise, on `cohort` (needed where there are several).

    `title` is what tables print; the name of the block without one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    title: str = ""
    cohort: str | None = None
    set: dict[str, Number] = {}
    times: dict[str, Factor] = {}
    add: dict[str, Number] = {}
    amounts: dict[str, Amount] = {}
    share: dict[str, Share] = {}

    @model_validator(mode="after")
    def _once(self) -> "ScenarioBlock":
        names = [*self.set, *self.times, *self.add]
        for name in names:
            if names.count(name) > 1:
                raise refusal(
                    f"'{name}' is changed twice: write one of set, times, add"
                )
        if not any(getattr(self, key) for key in CHANGES):
            raise refusal(f"nothing is otherwise: write one of {', '.join(CHANGES)}")
        return self

    @property
    def parameters(self) -> tuple[str, ...]:
        """The parameters that it changes."""
        return (*self.set, *self.times, *self.add)

    def value(self, name: str, own: Float[Array, "*n"]) -> Float[Array, "*n"]:
        """A parameter of every patient, from each one's own."""
        if name in self.set:
            return jnp.full_like(own, self.set[name])
        return own * self.times.get(name, 1.0) + self.add.get(name, 0.0)

    def design(self, cohort: CohortBlock) -> CohortBlock:
        """The cohort with the shares of this scenario."""
        groups = {
            name: group.model_copy(update={"share": self.share.get(name, group.share)})
            for name, group in cohort.group.items()
        }
        return cohort.model_copy(update={"group": groups})
