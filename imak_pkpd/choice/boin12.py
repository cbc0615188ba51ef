"""[decision.boin12] of a fit file: the scores and the admissibility of BOIN12.

    [decision.boin12]
    toxicity = "grade_3"      # estimands that are chances
    efficacy = "cr"
    phi_t = 0.35              # the highest chance of toxicity that is acceptable
    phi_e = 0.25              # the lowest chance of efficacy that is
    u2 = 40.0                 # worth of neither; efficacy alone is worth 100
    u3 = 60.0                 # worth of both; toxicity alone is worth 0

Lin, Zhou, Yan, Li and Yuan 2020, JCO Precis Oncol 4:1393. Here they are rules of
scoring on a posterior of the model; the paper's trial, with its counts, is not run.
"""

from typing import Annotated

import numpy as np
from jaxtyping import Array, Float
from pydantic import BaseModel, ConfigDict, Field, model_validator

from imak_pkpd.population.refusal import refusal

U1 = 100.0  # efficacy without toxicity, by the paper's scale; toxicity alone: 0

Chance = Annotated[float, Field(gt=0, lt=1)]
Score = Annotated[float, Field(ge=0, le=U1)]


class Boin12Block(BaseModel):
    """The rules; see this file's head.

    A design is admissible where P(p_T > phi_t) < `c_t` and P(q_E < phi_e) < `c_e`, by
    the posterior of the cohort's chances p_T and q_E.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    toxicity: str
    efficacy: str
    phi_t: Chance
    phi_e: Chance
    u2: Score
    u3: Score
    c_t: Chance = 0.95  # both as in the paper
    c_e: Chance = 0.90

    @model_validator(mode="after")
    def _two_outcomes(self) -> "Boin12Block":
        if self.toxicity == self.efficacy:
            raise refusal(f"'{self.toxicity}' is toxicity and efficacy: name two")
        return self

    def score[Value: (float, Float[Array, "..."], Float[np.ndarray, "..."])](
        self, toxicity: Value, efficacy: Value
    ) -> Value:
        """The mean utility of a patient with these chances, which are independent."""
        safe, futile = 1.0 - toxicity, 1.0 - efficacy
        return (
            U1 * efficacy * safe
            + self.u2 * futile * safe
            + self.u3 * efficacy * toxicity
        )

    @property
    def lowest(self) -> float:
        """The utility of a dose that is barely acceptable in both."""
        return self.score(self.phi_t, self.phi_e)

    @property
    def benchmark(self) -> float:
        """u_b, half the way from the lowest utility to the best there is."""
        return self.lowest + (U1 - self.lowest) / 2
