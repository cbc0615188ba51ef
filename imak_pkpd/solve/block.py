"""The [solver] block of a fit file."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class SolverBlock(BaseModel):
    """How the ODE is solved.

    `method`: "auto" (closed form where the model is linear, else the mesh), "closed",
    "mesh" or "adaptive" (the reference: slow). `tolerance` is the relative error per
    step that places the sub-steps of the mesh at the pilot draws; the certificate
    decides whether it was small enough.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Literal["auto", "closed", "mesh", "adaptive"] = "auto"
    tolerance: float = Field(1e-5, gt=0, lt=1)
