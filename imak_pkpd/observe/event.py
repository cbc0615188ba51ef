"""Time to an event (relapse, death, loss of the graft): the output is the HAZARD h.

| DV | event | the row says | log-likelihood |
|---|---|---|---|
| 0 | either | seen without the event at TIME | -A |
| 1 | exact | the event was at TIME | log h(TIME) - A |
| 1 | interval | it was after the row before, at TIME at the latest | log(1 - exp(-A)) |

A is the integral of h from the row before of the same DVID to this one; of the first
row from the subject's first record of any kind (its entry). Rows with DV = 0 therefore
add up: as many as there are, and none, say the same as the last of them, and
log(S(a) - S(b)) of an interval is -H(a) from the rows before it and log(1 - exp(-A)).

Competing risks (relapse, death) are two outputs with two hazards: the one that came
first has DV = 1, the other a row with DV = 0 at that time. Cure is a hazard that goes
to 0: H has a limit, and S = exp(-H) a plateau. A patient who entered late (left
truncation) has a first record at that time.

h is per unit of TIME and not negative; below FLOOR it counts as FLOOR, and where it is
below zero A takes 0. A is the integral of the cubics through h and its slope at the
nodes of the mesh (`solve.window`), so h must have derivatives at the first record: a
power of time, as in Weibull's law, has none at 0. Write it of jnp.maximum(t, 1e-6).
"""

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int
from numpyro.distributions import constraints

from imak_pkpd.observe.distribution import AbstractObserved
from imak_pkpd.observe.errors import FLOOR, AbstractError, Scales

Rows = Float[Array, "*subject observation"]


class Event(AbstractObserved):
    """0 (not yet) or 1 (the event) at the end of a window that begins without it.

    `hazard` is that at the end, `area` its integral over the window. Of an exact event
    the density is that of its time; all else is of 0 and 1, and so is `sample`: an
    event within the window is 1.
    """

    arg_constraints: dict[str, Any] = {}
    pytree_data_fields = ("hazard", "area")
    pytree_aux_fields = ("interval",)
    support = constraints.boolean
    lowest = 0.0
    step = 1.0

    def __init__(
        self,
        hazard: Float[Array, "..."],
        area: Float[Array, "..."],
        interval: bool,
        *,
        validate_args: bool | None = None,
    ) -> None:
        self.hazard, self.area = jnp.broadcast_arrays(hazard, area)
        self.interval = interval
        super().__init__(batch_shape=self.area.shape, validate_args=validate_args)

    @property
    def mean(self) -> Float[Array, "..."]:
        return -jnp.expm1(-self.area)

    @property
    def variance(self) -> Float[Array, "..."]:
        return self.mean * jnp.exp(-self.area)

    @property
    def median(self) -> Float[Array, "..."]:
        return (self.mean >= 0.5).astype(float)

    def standardised(self, value: Float[Array, "..."]) -> Float[Array, "..."]:
        """The martingale residual of the window: DV less what was expected of it.

        Of an exact event A: summed over a subject's rows, 1 or 0 less the cumulative
        hazard (the residual of Cox and Snell). Of an interval P(event in the window),
        as the hazard ends at an unknown time inside it.
        """
        return value - (self.mean if self.interval else self.area)

    def sample(  # type: ignore[override] # NumPyro also takes no key
        self, key: jax.Array, sample_shape: tuple[int, ...] = ()
    ) -> Float[Array, "..."]:
        part = jax.random.uniform(key, self.shape(sample_shape))
        drawn = (part < self.mean).astype(float)
        return jnp.where(jnp.isfinite(self.area), drawn, jnp.nan)

    def log_prob(
        self, value: Float[Array, "..."], intermediates: Any = None
    ) -> Float[Array, "..."]:
        exact = jnp.log(jnp.maximum(self.hazard, FLOOR)) - self.area
        event = self._log_inside() if self.interval else exact
        density = jnp.where(value == 1, event, -self.area)
        return jnp.where((value == 0) | (value == 1), density, -jnp.inf)

    def log_tail(
        self, value: Float[Array, "..."], side: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        left = side > 0
        lower, upper = jnp.where(left, 0.0, value), jnp.where(left, value, 1.0)
        return self.log_interval(lower, upper)

    def log_interval(
        self, lower: Float[Array, "..."], upper: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        no, yes = (lower <= 0) & (upper >= 0), (lower <= 1) & (upper >= 1)
        one = jnp.where(no, -self.area, jnp.where(yes, self._log_inside(), -jnp.inf))
        return jnp.where(no & yes, 0.0, one)

    def _log_inside(self) -> Float[Array, "..."]:
        """log(1 - exp(-A)), by expm1 below log 2 and log1p above (Maechler 2012).

        An A of nothing is FLOOR: finite and low.
        """
        area = jnp.maximum(self.area, FLOOR)
        short = area < jnp.log(2.0)
        small = jnp.log(-jnp.expm1(-jnp.where(short, area, 1.0)))
        return jnp.where(
            short, small, jnp.log1p(-jnp.exp(-jnp.where(short, 1.0, area)))
        )


class EventError(AbstractError):
    """The prediction's first axis is the hazard, then its integral over the window.

    `interval`: an event is known to lie in the window, not at its end.
    """

    keys: ClassVar[tuple[str, ...]] = ()
    interval: bool = eqx.field(static=True)

    def distribution(
        self, prediction: Float[Array, "2 ..."], scales: Scales
    ) -> AbstractObserved:
        return Event(prediction[0], prediction[1], self.interval)


def until_event(
    drawn: Rows, output: Int[Array, "*subject observation"], timed: Bool[Array, " k"]
) -> Rows:
    """Drawn DVs, NaN in the rows after the subject's first event of the same output.

    `timed` says which outputs, by place, are times to an event: nobody is at risk
    twice.
    """
    places = np.arange(drawn.shape[-1])
    earlier = places[:, None] > places
    event = timed[output] & (drawn == 1)
    before = (output[..., :, None] == output[..., None, :]) & earlier
    over = jnp.any(before & event[..., None, :], -1)
    return jnp.where(over, jnp.nan, drawn)
