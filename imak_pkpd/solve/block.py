"""The [solver] block of a fit file."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Method = Literal["auto", "closed", "mesh", "split", "rosenbrock", "adaptive"]


class SolverBlock(BaseModel):
    """How the ODE is solved.

    `method`: "closed" (a linear model), "mesh" (explicit steps), "split" (the same with
    the drugs that a model declares in closed form: fewer steps, each dearer),
    "rosenbrock" (the mesh of a stiff model: steps as long as accuracy allows, dearer
    yet), "adaptive" (the reference: slow), or "auto": closed form where the model is
    linear, else the mesh that costs least at the pilot draws (see `solve.choose`),
    written into run.json and obeyed on resume. `tolerance` is the relative error per
    step that places the sub-steps of the mesh at the pilot draws; the certificate
    decides whether it was small enough.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Method = "auto"
    tolerance: float = Field(1e-5, gt=0, lt=1)
