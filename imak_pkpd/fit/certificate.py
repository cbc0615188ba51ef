"""How far the solver's error moved the posterior: a certificate, draw by draw.

Δ = log-likelihood by the adaptive reference − by the mesh, on posterior draws. A
constant Δ changes nothing; what spreads does. Certified: the 99th percentile of
|Δ − median Δ| is at most 0.01·max(1, √(n/33)) for n subjects.
"""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from imak_pkpd.fit.posterior import ROWS
from imak_pkpd.fit.target import Target
from imak_pkpd.solve.together import map_together

LIMIT = 0.01  # of the log posterior, for a trial of the size of the seed's, 33 patients
PATIENTS = 33
DRAWS = 200  # draws on which the certificate is made
K_HAT = 0.7  # Vehtari et al. 2024 (JMLR): above it importance weights are unreliable
EFFICIENCY = 0.9  # share of the draws that reweighting must leave
CHUNK = 25  # draws solved at once: bounds the memory


@dataclass(frozen=True)
class Certificate:
    """The solver's error on `draws` posterior draws.

    `sd` of Δ, `p99` the 99th percentile of |Δ − median Δ|, `limit` its allowance;
    `k_hat` and `efficiency` of the weights exp(Δ); `worst_subject` the one whose own Δ
    spreads most (one past the last: the facts), `worst_record` that of its records, and
    `worst` both in words (empty: not said); `mesh_failed` draws (and rejected
    proposals) that fail on the mesh and solve by the reference.
    """

    draws: int
    sd: float
    p99: float
    limit: float
    k_hat: float
    efficiency: float
    worst_subject: int
    worst_record: int
    mesh_failed: int
    worst: str = ""

    @property
    def certified(self) -> bool:
        """Whether the solver's error is negligible."""
        return self.p99 <= self.limit and self.mesh_failed == 0

    @property
    def reweightable(self) -> bool:
        """Whether importance weights could repair a posterior that is not certified."""
        return self.k_hat <= K_HAT and self.efficiency >= EFFICIENCY

    def to_dict(self) -> dict[str, float | int | bool]:
        """For run.json."""
        return asdict(self) | {"certified": self.certified}


Likelihood = Callable[
    [Float[np.ndarray, "draw d"]], Float[np.ndarray, "draw subject record"]
]
"""Where there are facts, they are the first record of one more subject."""


def likelihood_by_record(target: Target, args: tuple) -> Likelihood:
    """A compiled function of flat positions."""

    def one(
        position: Float[Array, " d"], arguments: tuple
    ) -> Float[Array, "subject record"]:
        values = target.constrain(position, arguments)
        records, facts = values[ROWS], values.get("fact_log_likelihood")
        if facts is None:
            return records
        last = jnp.zeros((1, records.shape[1])).at[0, 0].set(facts)
        return jnp.concatenate([records, last])

    run = jax.jit(
        lambda xs, arguments: map_together(lambda x: one(x, arguments), xs, CHUNK)
    )
    arguments = jax.tree.map(jnp.asarray, args)
    return lambda positions: np.asarray(run(jnp.asarray(positions), arguments))


def certify(
    mesh: Likelihood,
    reference: Likelihood,
    positions: Float[np.ndarray, "draw d"],
    rejected: Float[np.ndarray, "proposal d"],
    subjects: int,
) -> Certificate:
    """The certificate from posterior draws and proposals that failed on the mesh."""
    ours, true = mesh(positions), reference(positions)
    solved = np.isfinite(true.sum((1, 2)))
    failed = solved & ~np.isfinite(ours.sum((1, 2)))
    both = solved & ~failed
    by_record = true[both] - ours[both]
    delta = by_record.sum((1, 2))
    subject, record = _worst(by_record) if both.any() else (0, 0)
    spread = np.abs(delta - np.median(delta)) if both.any() else np.array([np.inf])
    k_hat, efficiency = weight_quality(delta)
    return Certificate(
        draws=len(positions),
        sd=float(delta.std()) if both.any() else math.inf,
        p99=float(np.quantile(spread, 0.99)),
        limit=LIMIT * max(1.0, math.sqrt(subjects / PATIENTS)),
        k_hat=k_hat,
        efficiency=efficiency,
        worst_subject=subject,
        worst_record=record,
        mesh_failed=int(failed.sum()) + _wrongly_rejected(reference, rejected),
    )


def _wrongly_rejected(
    reference: Likelihood, rejected: Float[np.ndarray, "proposal d"]
) -> int:
    """Proposals that failed on the mesh after warm-up and solve by the reference."""
    if len(rejected) == 0:
        return 0
    return int(np.isfinite(reference(rejected).sum((1, 2))).sum())


def _worst(delta: Float[np.ndarray, "draw subject record"]) -> tuple[int, int]:
    """The subject whose Δ spreads most, and the record of it whose own does."""
    subject = int(delta.sum(2).std(0).argmax())
    return subject, int(delta[:, subject].std(0).argmax())


def tail_shape(log_weight: Float[np.ndarray, " draw"]) -> float:
    """Pareto k-hat of weights, of which some draws may have none (-inf)."""
    return weight_quality(log_weight[np.isfinite(log_weight)])[0]


def weight_quality(delta: Float[np.ndarray, " draw"]) -> tuple[float, float]:
    """Pareto k-hat and relative effective sample size of the weights exp(Δ).

    Equal weights have no tail to fit: k-hat is then -inf, the best there is.
    """
    if len(delta) < 25 or np.ptp(delta) < 1e-9:  # 25: arviz's least tail
        return -math.inf, 1.0
    weights = np.exp(delta - delta.max())
    efficiency = float(weights.sum() ** 2 / (weights**2).sum() / len(delta))
    return _pareto_shape(delta), efficiency


def _pareto_shape(log_weight: Float[np.ndarray, " draw"]) -> float:
    """k-hat of the largest weights; -inf where these are all equal."""
    from arviz_stats.base import array_stats

    try:
        # it takes log-likelihoods, whose weights are their reciprocals
        _, k_hat = array_stats.psislw(-log_weight)
    except ValueError:  # "All tail values are the same"
        return -math.inf
    return float(k_hat)
