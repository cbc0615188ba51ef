"""Drugs in closed form inside a step: an absorption and two compartments, by `expm`.

The closed form moves the distance of two eigenvalues by 1e-6 of the rates, which shows
as 1e-12 times those passed in the step; quotients near a resonance lose digits, 1e-14
of values, of derivatives the square of it by the gap.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings, strategies as st
from jax.flatten_util import ravel_pytree
from jaxtyping import Array

from imak_pkpd.model import Inputs, Scalar
from imak_pkpd.model.linearity import check_forcing
from imak_pkpd.solve.split import Split
from imak_pkpd.solve.stepper import Crossing
from tests.reference_models.absorbed import Absorbed, Amounts

START = np.array([1.0, 0.3, 0.2])
ROUNDING = 1e-11  # of amounts near 1: 1e-14 by a quotient of 1e-3
MOVED = 4e-12  # of the rates times the interval
SLOPE = 1e-4  # of the largest slope


@jax.jit
def crossed(rates: Array, start: Array, h: Array, infusion: Array) -> Array:
    """The drug after one step."""
    _, unravel = ravel_pytree(Amounts(*jnp.zeros(4)))
    given = Inputs({"gut": infusion}, {})
    crossing = Crossing(Absorbed(*rates), lambda t: given, unravel)
    return Split()(crossing, jnp.zeros(()), jnp.append(start, 0.0), h).state[:3]


@jax.jit
def slopes(logs: Array, h: Array) -> tuple[Array, Array]:
    """Of the drug by the logarithms of its rates: ours, the matrix exponential's."""

    def ours(logs: Array) -> Array:
        return crossed(jnp.exp(logs), START, h, jnp.zeros(()))

    def exact(logs: Array) -> Array:
        return jax.scipy.linalg.expm(matrix(jnp.exp(logs)) * h) @ START

    return jax.jacrev(ours)(logs), jax.jacrev(exact)(logs)


def matrix(rates: Array) -> Array:
    ka, k, out, back = rates
    zero = jnp.zeros_like(ka)
    rows = [[-ka, zero, zero], [ka, -k - out, back], [zero, out, -back]]
    return jnp.stack([jnp.stack(row) for row in rows])


rate = st.floats(-3.0, 1.0).map(lambda x: float(10.0**x))
near = st.sampled_from([None, 0.0, 1e-12, 1e-9, 1e-6, 1e-4, 1e-2])


def resonant(rates: tuple[float, ...], by: float | None) -> np.ndarray:
    """The same, or with an absorption that is nearly as fast as the elimination."""
    found = np.array(rates)
    if by is not None:
        slow = np.linalg.eigvals(np.asarray(matrix(jnp.asarray(found)))[1:, 1:])
        found[0] = -slow.real.max() * (1 + by)
    return found


@settings(deadline=None)  # the first example compiles
@given(st.tuples(rate, rate, rate, rate), near, st.floats(0.01, 100.0))
def test_a_drug_is_where_the_matrix_exponential_has_it(
    rates: tuple[float, ...], by: float | None, h: float
) -> None:
    """Whatever rates are equal."""
    at = resonant(rates, by)
    exact = scipy.linalg.expm(np.asarray(matrix(jnp.asarray(at))) * h) @ START
    found = crossed(jnp.asarray(at), jnp.asarray(START), jnp.asarray(h), jnp.zeros(()))
    limit = ROUNDING + MOVED * 2 * at[1:].sum() * h
    np.testing.assert_allclose(found, exact, rtol=0, atol=limit)


@settings(deadline=None)  # the first example compiles
@given(st.tuples(rate, rate, rate, rate), near, st.floats(0.1, 10.0))
def test_its_slopes_are_those_of_the_matrix_exponential(
    rates: tuple[float, ...], by: float | None, h: float
) -> None:
    """By the logarithm of every rate, in reverse as the sampler asks for them."""
    logs = jnp.asarray(np.log(resonant(rates, by)))
    found, exact = map(np.asarray, slopes(logs, jnp.asarray(h)))
    limit = SLOPE * np.abs(exact).max() + 1e-12
    np.testing.assert_allclose(found, exact, rtol=0, atol=limit)


def test_an_infusion_comes_to_rest() -> None:
    """After 1e4 h all of it is eliminated as fast as it flows: central is 2/k."""
    rates, late, flow = jnp.array([1.0, 0.1, 0.5, 0.2]), jnp.array(1e4), jnp.array(2.0)
    found = crossed(rates, jnp.zeros(3), late, flow)
    np.testing.assert_allclose(found, [2.0, 20.0, 50.0], rtol=1e-9)


def test_the_effect_follows_the_drug() -> None:
    """Steps of a tenth of an hour against SciPy's exponential of all four states."""
    rates = jnp.array([1.5, 0.2, 0.4, 0.1])
    model = Absorbed(*rates)
    _, unravel = ravel_pytree(Amounts(*jnp.zeros(4)))
    still = Inputs({"gut": jnp.zeros(())}, {})
    crossing = Crossing(model, lambda t: still, unravel)
    step = jax.jit(
        lambda y: Split()(crossing, jnp.asarray(0.0), y, jnp.asarray(0.1)).state
    )
    y = jnp.array([1.0, 0.0, 0.0, 0.0])
    for _ in range(50):
        y = step(y)
    whole = np.zeros((4, 4))
    whole[:3, :3], whole[3, 1], whole[3, 3] = matrix(rates), 1.0, -0.1
    exact = scipy.linalg.expm(whole * 5.0) @ [1.0, 0.0, 0.0, 0.0]
    # (0.1)^5 times the fastest rate's, of a method of fifth order
    np.testing.assert_allclose(y, exact, rtol=1e-7)


def declared(*groups: tuple[str, ...]) -> type[Absorbed]:
    return type("Other", (Absorbed,), {"forcing": groups, "__annotations__": {}})


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([("gut", "central")], "central, whose rate reads outer"),
        ([("central", "gut", "outer")], "central, whose rate reads gut, outer"),
        ([("effect",)], "effect, whose rate reads central"),
        ([("gut", "liver")], r"the group \(gut, liver\); name one, two or three"),
        ([("gut", "central", "outer", "effect")], "name one, two or three"),
    ],
)
def test_a_group_that_is_none_is_refused(
    groups: list[tuple[str, ...]], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        check_forcing(declared(*groups))


def test_a_sound_group_is_not() -> None:
    check_forcing(Absorbed)
    check_forcing(declared(("gut",)))


class Saturated(Absorbed):
    """Absorption with a limit."""

    forcing = (("gut",),)

    def rates(self, t: Scalar, state: Amounts, inputs: Inputs) -> Amounts:
        usual = super().rates(t, state, inputs)
        return usual._replace(gut=-self.ka * state.gut / (1 + state.gut))


class Timed(Absorbed):
    """Absorption that slows with time."""

    forcing = (("gut",),)

    def rates(self, t: Scalar, state: Amounts, inputs: Inputs) -> Amounts:
        usual = super().rates(t, state, inputs)
        return usual._replace(gut=-self.ka * state.gut / (1 + t))


class Linear(Absorbed):
    """Nothing is left to be stepped."""

    forcing = (("gut", "central", "outer"), ("effect",))

    def rates(self, t: Scalar, state: Amounts, inputs: Inputs) -> Amounts:
        usual = super().rates(t, state, inputs)
        return usual._replace(effect=-0.1 * state.effect)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Saturated, "gut, whose rates are not linear in themselves"),
        (Timed, "or depend on time"),
        (Linear, "names every state; derive the class from AbstractLinear"),
    ],
)
def test_what_has_no_closed_form_is_refused(
    model: type[Absorbed], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        check_forcing(model)
