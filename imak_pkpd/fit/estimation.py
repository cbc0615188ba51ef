"""`[estimation]` of a fit file: how many draws, from where, and how carefully."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

MetricFrom = Literal["draws", "gradients"]


class EstimationBlock(BaseModel):
    """How NUTS is run.

    `chains` chains of `warmup` adaptation draws and `draws` kept draws each, from
    `seed`. `target_accept` is the mean acceptance that the step size aims at; a
    trajectory has at most 2^`max_tree_depth` - 1 leapfrogs. `metric` "auto" is dense
    below 300 dimensions and diagonal above; `metric_from` "draws" corrects it in
    warm-up by their covariance, "gradients" by the gradients there as well, with one
    step size for all chains: for ridges that bend. `bend` moves typical values, SDs and
    shares on the scale on which their posterior is straight (`bend`). `start` "map"
    climbs to the mode first, "prior" starts at prior medians. `method` "auto" runs one
    chain per thread on a CPU and all chains in one vectorised program on a GPU.

    A fit of published facts without patients weighs `prior_draws` draws of the prior
    and refines `refined_draws` of them; NUTS is not run. `sampler` "auto" adapts them
    first ("adapted") where the weights are worth less than 5 % of the draws, and
    tempers if that fails. With patients and facts "auto" is "nuts"; "tempered" leads
    `refined_draws` particles there (`sampler` has the table).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    chains: int = Field(default=4, ge=1)
    warmup: int = Field(default=500, ge=20)  # fewer cannot settle a step size
    draws: int = Field(default=1000, ge=4)  # split R-hat needs four
    seed: int = Field(default=1, ge=0, lt=2**63)  # a JAX key is 64 bits
    # Above Stan's 0.8: ten fits of theophylline, five seeds in two forms of eta, had 0
    # divergences at 0.95 and up to 14 at 0.9, for the same ESS per second.
    target_accept: float = Field(default=0.95, gt=0.0, lt=1.0)
    max_tree_depth: int = Field(default=10, ge=1, le=15)  # Stan's default
    metric: Literal["auto", "diagonal", "dense"] = "auto"
    # Gradients halve the leapfrogs of the core model, but on theophylline and
    # phenobarbital, whose residual SDs reach zero, leave fewer effective draws of them.
    metric_from: MetricFrom = "draws"
    # On it doubles the effective draws of theophylline and of the benchmark imak-5 per
    # gradient, but once left too few in the tails of the core model (362 of 400).
    bend: bool = False
    start: Literal["map", "prior"] = "map"
    method: Literal["auto", "threads", "vectorised"] = "auto"
    prior_draws: int = Field(default=12_000, ge=100)
    refined_draws: int = Field(default=2_800, ge=50)
    sampler: Literal["auto", "nuts", "weights", "adapted", "tempered"] = "auto"
