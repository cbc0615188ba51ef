"""What a model file says: the biology of ONE subject, written in scalars.

`AbstractModel`  an ODE: initial, dose, rates, observe.
`AbstractLinear` the same four, with rates linear in the state and constant in
                 time: solved in closed form (or as an ODE, on request).
`AbstractStatic` no state at all: only `observe`.
A model never sees a batch; `vmap` happens in `solve`.
"""

import abc
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
from jaxtyping import Array, Float

Scalar = Float[Array, ""]
"""One number, traced."""

State = Any
"""A NamedTuple of scalars, one field per compartment."""


class Inputs(NamedTuple):
    """What reaches the model from outside in the current interval.

    `infusion`: current rate by dose name, amount per time.
    `covariate`: value in this interval by name.
    """

    infusion: Mapping[str, Scalar]
    covariate: Mapping[str, Scalar]


class Dosing(NamedTuple):
    """NM-TRAN's dose parameters of one dose name; None: not modelled.

    `lag` delays the dose; `F` scales its amount; `rate` (RATE = -1) and `duration`
    (RATE = -2) describe a modelled infusion.
    """

    lag: Scalar | None = None
    F: Scalar | None = None
    rate: Scalar | None = None
    duration: Scalar | None = None


class AbstractModel(eqx.Module):
    """One subject's parameters and the rates of its states.

    `time` is the model's time unit, `doses` and `outputs` map names to units.

    Four more let the `Split` stepper take long steps: `forcing` names groups of one or
    two states that are linear in themselves and read no other (drugs: closed form), or
    of three, of which the first feeds the others and reads neither (an absorption),
    `logarithms` states that are at all times multiplied, never fed (populations over
    many decades), `losses` gives rates of loss of others, and `follow` the states that
    no other reads.

    Of `tops` only the largest value matters: steps are placed for that.
    """

    time: ClassVar[str]
    doses: ClassVar[Mapping[str, str]]
    outputs: ClassVar[Mapping[str, str]]
    forcing: ClassVar[tuple[tuple[str, ...], ...]] = ()
    logarithms: ClassVar[tuple[str, ...]] = ()
    tops: ClassVar[tuple[str, ...]] = ()

    @abc.abstractmethod
    def initial(self, inputs: Inputs) -> State:
        """The state at the subject's first record and after a reset."""

    @abc.abstractmethod
    def dose(self, state: State, name: str, amount: Scalar) -> State:
        """The state after a bolus of `amount`; zero amount leaves it unchanged."""

    def dosing(self, name: str) -> Dosing:
        """Lag, F, rate and duration of a dose name; which are None is static."""
        return Dosing()

    @abc.abstractmethod
    def rates(self, t: Scalar, state: State, inputs: Inputs) -> State:
        """d state / dt, as the same NamedTuple; infusions are added here."""

    @abc.abstractmethod
    def observe(self, t: Scalar, state: State, inputs: Inputs) -> Mapping[str, Scalar]:
        """The outputs by name, in the units of `outputs`."""

    def integrals(
        self, t: Scalar, state: State, inputs: Inputs
    ) -> Mapping[str, Scalar]:
        """Rates of the integrals to accumulate beside the states; none by default."""
        return {}

    def losses(self, state: State) -> Mapping[str, Scalar]:
        """Rates per time, by state, at which what is in the state is lost.

        As they are at the start of a step, they are taken out of it with the gains of
        that time, so that they do not limit its length; `rates` has them all the same.
        """
        return {}

    def follow(
        self, before: State, after: State, duration: Scalar
    ) -> Mapping[str, Scalar]:
        """States that no other reads, after an interval, from all others at its ends.

        A rule that keeps their sign (exposures, peaks), whatever the length; those that
        are not named here go with the rest. `after` has them as they were before.
        """
        return {}


class AbstractLinear(AbstractModel):
    """Rates linear in the state, coefficients constant between records.

    The same file can be solved in closed form (the default) or as an ODE.
    """


class AbstractStatic(eqx.Module):
    """No state: the outputs follow from parameters, time and covariates alone."""

    time: ClassVar[str]
    outputs: ClassVar[Mapping[str, str]]
    doses: ClassVar[Mapping[str, str]] = {}

    @abc.abstractmethod
    def observe(self, t: Scalar, inputs: Inputs) -> Mapping[str, Scalar]:
        """The outputs by name, in the units of `outputs`."""


AnyModel = AbstractModel | AbstractStatic
