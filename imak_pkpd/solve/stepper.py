"""How one interval between two nodes is crossed: five interchangeable steppers.

`Exact`       closed form, for an `AbstractLinear`.
`Explicit`    one Runge-Kutta step from a diffrax tableau: the march, fast.
`Rosenbrock`  one linearly implicit step: the march of a stiff model.
`Adaptive`    a diffrax solve to a tolerance: the reference.
`Split`       (in `split.py`) closed forms and one Runge-Kutta step: the longest steps.
Each is called for one subject and returns a `Step`.
"""

import abc
import dataclasses
import math
from functools import partial
from typing import Any, NamedTuple

import diffrax
import equinox as eqx
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Int

from imak_pkpd.model.linear import propagate
from imak_pkpd.solve.rosenbrock import RODAS, RosenbrockTableau, rosenbrock_step
from imak_pkpd.solve.status import SolveStatus
from imak_pkpd.solve.steady import Resolution
from imak_pkpd.solve.subject import InputsAt
from imak_pkpd.solve.tableau import Field, Vector, explicit_step

Time = Float[Array, ""]


class Step(NamedTuple):
    """The state at the end, its embedded error (zero where there is none), status."""

    state: Vector
    error: Vector
    status: Int[Array, ""]


class Crossing(NamedTuple):
    """What one interval is about: the model and inputs in it, and the state's form."""

    model: Any
    inputs: InputsAt
    unravel: Any

    def field(self, t: Time, y: Vector) -> Vector:
        """d y / dt, stacked."""
        rates = self.model.rates(t, self.unravel(y), self.inputs(t))
        return ravel_pytree(rates)[0]


class Steps(NamedTuple):
    """What says how long a step may be: `order`, the power of its length with which the
    embedded error grows, and `stable`, the largest |λ| h (inf: of any length)."""

    order: int
    stable: float


TSIT5 = Steps(
    order=5,  # of its embedded fourth-order solution
    stable=2.5,  # the real stability interval ends near 3.0
)


class AbstractStepper(eqx.Module):
    """Crosses one interval of one subject.

    `steps` is None where an interval of any length is crossed at once, as exactly as
    the stepper can.
    """

    steps: eqx.AbstractClassVar[Steps | None]

    @abc.abstractmethod
    def __call__(self, crossing: Crossing, t: Time, y: Vector, h: Time) -> Step:
        """The state at TIME t + h, from y at t; h = 0 gives y back."""

    def moving(self, crossing: Crossing, t: Time, y: Vector) -> tuple[Field, Vector]:
        """What is stepped: the field and the state, in the stepper's own coordinates.

        Its Jacobian says how long a stable step can be.
        """
        return crossing.field, y

    def both_ways(self) -> "AbstractStepper":
        """A stepper with forward and reverse derivatives, for steady states."""
        return self

    @property
    def resolution(self) -> Resolution:
        """The smallest difference between two states that a steady state can have."""
        return Resolution()


class Exact(AbstractStepper):
    """The closed form of a linear model, for any length of interval."""

    steps = None

    def __call__(self, crossing: Crossing, t: Time, y: Vector, h: Time) -> Step:
        state = propagate(crossing.model, t, crossing.unravel(y), crossing.inputs(t), h)
        return Step(ravel_pytree(state)[0], jnp.zeros_like(y), OK())


class Explicit(AbstractStepper):
    """One step of an explicit Runge-Kutta method; the mesh bounds its error."""

    solver: Any = eqx.field(static=True, default_factory=diffrax.Tsit5)
    steps = TSIT5

    def __call__(self, crossing: Crossing, t: Time, y: Vector, h: Time) -> Step:
        fields = lambda times: [partial(crossing.field, at) for at in times]  # noqa: E731
        moved = explicit_step(self.solver.tableau, fields, t, y, h)
        return Step(moved.state, moved.error, OK())


class Rosenbrock(AbstractStepper):
    """One linearly implicit step: stable however fast a process is."""

    tableau: RosenbrockTableau = eqx.field(static=True, default=RODAS)
    steps = Steps(
        order=4,  # of its embedded third-order solution
        stable=math.inf,  # L-stable
    )

    def __call__(self, crossing: Crossing, t: Time, y: Vector, h: Time) -> Step:
        state, error = rosenbrock_step(self.tableau, crossing.field, t, y, h)
        return Step(state, error, OK())


class Adaptive(AbstractStepper):
    """A diffrax solve of the interval to a tolerance; a failure is a status."""

    rtol: float = 1e-9
    atol: float = 1e-9
    max_steps: int = eqx.field(static=True, default=4096)
    solver: Any = eqx.field(static=True, default_factory=diffrax.Tsit5)
    adjoint: Any = eqx.field(
        static=True, default_factory=diffrax.RecursiveCheckpointAdjoint
    )
    steps = None

    def both_ways(self) -> "AbstractStepper":
        return dataclasses.replace(self, adjoint=diffrax.DirectAdjoint())

    @property
    def resolution(self) -> Resolution:
        # The error of a whole period is some times that of a step.
        return Resolution(10 * self.rtol, 10 * self.atol)

    def __call__(self, crossing: Crossing, t: Time, y: Vector, h: Time) -> Step:
        solution = diffrax.diffeqsolve(
            diffrax.ODETerm(lambda s, x, _: crossing.field(jnp.asarray(s), x)),
            self.solver,
            t,
            # An empty interval is solved over a nominal one and thrown away below.
            jnp.where(h > 0, t + h, t + 1e-6),
            None,
            y,
            stepsize_controller=diffrax.PIDController(self.rtol, self.atol),
            adjoint=self.adjoint,
            max_steps=self.max_steps,
            throw=False,
        )
        solved = solution.result == diffrax.RESULTS.successful
        status = jnp.where(solved, SolveStatus.ok, SolveStatus.too_many_steps)
        state = jnp.where(h > 0, solution.ys[-1], y)
        return Step(
            state,
            jnp.zeros_like(y),
            jnp.where(h > 0, status, SolveStatus.ok).astype(jnp.int32),
        )


def OK() -> Int[Array, ""]:  # noqa: N802
    """The status of a step that cannot fail."""
    return jnp.asarray(SolveStatus.ok, jnp.int32)
