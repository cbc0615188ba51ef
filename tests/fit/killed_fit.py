"""A small fit run as a program, to be killed: `killed_fit.py RUN CACHE`.

Prints a line at each stage and block, and at last the hash of the draws.
"""

import sys
from pathlib import Path

import jax
import numpy as np
import numpyro
import numpyro.distributions as dist

from imak_pkpd.fit.compilation import keep_compiled_programs
from imak_pkpd.fit.estimation import EstimationBlock
from imak_pkpd.fit.progress import ChainReport
from imak_pkpd.fit.sample import sample
from imak_pkpd.fit.target import target

DATA = np.random.default_rng(8).normal(1.0, 0.6, (12, 3))
ESTIMATION = EstimationBlock(chains=3, warmup=60, draws=60, seed=4)


def model(y: jax.Array) -> None:
    theta = numpyro.sample("theta_a", dist.Normal(0.0, 2.0))
    omega = numpyro.sample("omega_a", dist.HalfNormal(1.0))
    sigma = numpyro.sample("a_sigma", dist.HalfNormal(1.0))
    with numpyro.plate("patient", 12):
        eta = numpyro.sample("eta_a", dist.Normal(0.0, omega))
    mean = (theta + eta)[:, None]
    numpyro.factor("likelihood", dist.Normal(mean, sigma).log_prob(y).sum())


class Printed:
    """Every call as a line."""

    def stage(self, text: str) -> None:
        print(text, flush=True)

    def chain(self, report: ChainReport) -> None:
        print(f"block of chain {report.chain}", flush=True)


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    keep_compiled_programs(Path(sys.argv[2]))
    draws = sample(
        target(model, (DATA,)),
        (DATA,),
        ESTIMATION,
        Path(sys.argv[1]),
        {"model": "hierarchical"},
        Printed(),
        block_s=0.0,  # a block per draw, so that a kill falls between or inside blocks
    )
    print(f"draws {draws.sha256}", flush=True)
