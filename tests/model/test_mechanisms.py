"""Each mechanism against its closed form, a limit known by hand, or SciPy."""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.integrate import solve_ivp

from imak_pkpd.model import mechanisms as m

Number = float | jax.Array
CELLS = st.floats(1.0, 1e13)
STATES = st.floats(-1e12, 1e14)
seeded = settings(deadline=None, derandomize=True)  # the first call compiles


def number(x: float) -> jax.Array:
    return jnp.asarray(x, float)


def solved(rates: Callable, start: list[float], end: float) -> np.ndarray:
    """The end of x' = rates(x), by SciPy to 1e-10."""
    done = solve_ivp(
        lambda t, x: np.array(rates(*map(number, x)), float),
        (0.0, end), start, "LSODA", rtol=1e-10, atol=1e-12,
    )  # fmt: skip
    return done.y[:, -1]


def test_saturation_and_hill() -> None:
    """Half at the half-saturation; a Hill exponent of 1 is saturation."""
    assert float(m.saturation(number(3.0), number(3.0))) == 0.5
    assert float(m.saturation(number(-1.0), number(3.0))) == 0.0
    assert float(m.hill(number(3.0), number(3.0), number(2.5))) == pytest.approx(0.5)
    one = m.hill(number(7.0), number(3.0), number(1.0))
    assert float(one) == pytest.approx(0.7, rel=1e-14)
    two = m.hill(number(6.0), number(3.0), number(2.0))
    assert float(two) == pytest.approx(36 / (9 + 36), rel=1e-14)
    assert float(m.hill(number(0.0), number(3.0), number(2.0))) == 0.0
    assert float(jax.grad(m.hill)(0.0, 3.0, 2.0)) == 0.0


def test_culture_conserves_what_does_not_die() -> None:
    """Without division and death, what leaves one state enters the other: e^-kE."""

    def rates(resting: Number, active: Number) -> tuple:
        lineage = m.activated_in_culture(
            resting, active, number(0.8), activation=number(1.0), division=number(0.0),
            death_resting=number(0.0), death_active=number(0.0),
        )  # fmt: skip
        assert lineage.deaths == 0
        return lineage.resting, lineage.activated

    end = solved(rates, [2.0, 0.0], 3.0)
    assert end == pytest.approx([2 * math.exp(-2.4), 2 - 2 * math.exp(-2.4)], rel=1e-8)


def test_activated_cells_die_twice_as_fast_without_il2() -> None:
    def deaths(effect: float) -> float:
        lineage = m.activated_in_culture(
            number(0.0), number(1.0), number(effect), activation=number(0.5),
            division=number(0.0), death_resting=number(0.1), death_active=number(0.3),
        )  # fmt: skip
        return float(lineage.deaths)

    assert deaths(1.0) == pytest.approx(0.3)
    assert deaths(0.0) == pytest.approx(0.6)


def test_il2_from_the_depot_is_batemans_function() -> None:
    """And its concentration: 1e6 IU in 1 L are 1000 IU/mL."""
    ka, CL, V = 5.0, 386.0, 33.0
    end = solved(
        lambda a, b: m.il2_disposition(
            a, b, ka=number(ka), CL=number(CL), V=number(V)
        ),
        [3.24, 0.0], 0.4,
    )  # fmt: skip
    k = CL / V
    amount = 3.24 * ka / (ka - k) * (math.exp(-k * 0.4) - math.exp(-ka * 0.4))
    assert end[1] == pytest.approx(amount, rel=1e-8)
    found = m.il2_concentration(number(amount), V=number(V))
    assert float(found) == pytest.approx(1e3 * amount / V)


def test_rituximab_leaves_only_by_clearance() -> None:
    """The sum of both compartments loses CL/V1 of the central one."""
    moved = m.rituximab_disposition(
        number(500.0), number(200.0), CL=number(0.3), V1=number(3.19), Q=number(0.446),
        V2=number(4.15),
    )  # fmt: skip
    lost = float(moved.central + moved.peripheral)
    assert lost == pytest.approx(-0.3 / 3.19 * 500.0, rel=1e-12)
    assert float(m.occupancy(number(5.0), number(1.0), half=number(5.0))) == 0.5
    assert float(m.occupancy(number(5.0), number(0.0), half=number(5.0))) == 0.0


def test_cyclophosphamide_with_full_induction_is_cleared_faster() -> None:
    """Induction settles at greatest C/(half + C); without it the half-life is 6 h."""
    settled = number(1.4) * m.saturation(number(40.0), number(40.0))
    change = m.autoinduction(
        settled, number(40.0), greatest=number(1.4), half=number(40.0), rate=number(0.7)
    )
    assert float(change) == 0.0
    end = solved(
        lambda a: (
            m.cyclophosphamide_elimination(
                a, number(0.0), CL=number(130.0), V=number(46.5)
            ),
        ),
        [1800.0], 46.5 * math.log(2) / 130,
    )  # fmt: skip
    assert end[0] == pytest.approx(900.0, rel=1e-8)


def test_recovery_by_gompertz_and_logistic_laws() -> None:
    """ln(H/H0) decays by e^-rt (Gompertz); H0/H - 1 does (logistic)."""
    rest, start, rate, end = 3e11, 1.2e11, 0.17, 9.0
    for law, expected in (
        (m.gompertz_recovery, rest * (start / rest) ** math.exp(-rate * end)),
        (m.logistic_recovery, rest / (1 + (rest / start - 1) * math.exp(-rate * end))),
    ):
        found = solved(
            lambda H, law=law: (H * law(H, rate=number(rate), rest=number(rest)),),
            [start], end,
        )  # fmt: skip
        assert found[0] == pytest.approx(expected, rel=1e-8)


def test_friberg_rests_and_rebounds() -> None:
    """At rest nothing moves; few circulating cells drive (rest/c)^feedback."""
    rest, k = number(5.0), number(0.8)

    def change(circulating: float, kill: float) -> float:
        return float(
            m.friberg_proliferation(
                rest, number(circulating), number(kill), k=k, rest=rest,
                feedback=number(0.2),
            )
        )  # fmt: skip

    assert change(5.0, 0.0) == 0.0
    assert change(2.5, 0.0) == pytest.approx(0.8 * 5.0 * (2**0.2 - 1), rel=1e-12)
    assert change(5.0, 0.3) == pytest.approx(-0.8 * 5.0 * 0.3, rel=1e-12)


def test_room_to_divide() -> None:
    """1 when host and donor fill it, 4^0.4 when a quarter is there."""
    full = m.lymphopenia(
        number(2e11), number(1e11), rest=number(3e11), exponent=number(0.4)
    )
    assert float(full) == pytest.approx(1.0, rel=1e-12)
    empty = m.lymphopenia(
        number(7e10), number(5e9), rest=number(3e11), exponent=number(0.4)
    )
    assert float(empty) == pytest.approx(4**0.4, rel=1e-12)


def test_il2_dependence() -> None:
    """With all IL-2: division less death; with none: death and withdrawal."""

    def growth(effect: float) -> float:
        return float(
            m.il2_dependent_growth(
                number(effect), number(1.2), division=number(0.3), death=number(0.1),
                withdrawal=number(0.3),
            )
        )  # fmt: skip

    assert growth(1.0) == pytest.approx(0.3 * 1.2 - 0.1)
    assert growth(0.0) == pytest.approx(-0.4)


def test_no_clone_regrows_from_less_than_a_cell() -> None:
    """Of 1e-6 cells, alone for 60 days, nothing comes back; of 1e6 cells it does."""

    def rates(D: Number) -> tuple:
        growth = m.antigen_driven_growth(
            D, number(0.0), number(2.0), division=number(0.9), death=number(0.1),
            withdrawal=number(0.3), autocrine=number(0.35),
        )  # fmt: skip
        return (D * growth,)

    # the room counts 1.5 at most: 0.9 x 0.35 x 1.5 - 0.1 - 0.3 x 0.65 = 0.1775 per day
    assert solved(rates, [1e6], 60.0)[0] == pytest.approx(
        1e6 * math.exp(0.1775 * 60), rel=1e-3
    )  # the gate costs some 1e-5 of division at 1e6 cells
    assert solved(rates, [1e-6], 60.0)[0] < 1e-6


def test_rejection_and_veto_saturate_in_both_cells() -> None:
    def rate(killers: float, donor: float) -> float:
        return float(
            m.rejection(
                number(killers), number(donor), greatest=number(4.0), half=number(1e9)
            )
        )

    assert rate(1e9, 0.0) == pytest.approx(2.0)
    assert rate(1e15, 1e9) == pytest.approx(4.0, rel=1e-5)  # not more than 4 per day
    assert rate(1e6, 1e15) * 1e15 == pytest.approx(4e6, rel=1e-5)  # 4 kills per killer
    vetoed = m.veto(
        number(1e9), number(5e8), number(5e8), greatest=number(0.25), half=number(1e9)
    )
    assert float(vetoed) == pytest.approx(0.25 / 3)


def test_host_response_conserves_cells() -> None:
    """Without division and loss the three pools keep their sum."""
    change = m.host_response(
        number(1e9), number(2e8), number(3e7), number(0.6), number(0.0),
        priming=number(0.7), division=number(0.0), maturation=number(0.8),
        death=number(0.0),
    )  # fmt: skip
    assert float(sum(change)) == pytest.approx(0.0, abs=1e-6)
    assert float(change.naive) == pytest.approx(-0.7 * 0.6 * 1e9)
    assert float(change.killers) == pytest.approx(0.8 * 2e8)


@seeded
@given(CELLS, CELLS)
def test_the_five_forms_of_killing(E: float, L: float) -> None:
    """Each by its formula in Python; the bounds of the table."""
    k, h = 3.0, 2e9
    killers, targets, half = number(E), number(L), number(h)
    greatest = number(k)
    expected = {
        "mass": 1e-9 * E,
        "killer": k * E / (h + E),
        "target": k * E / (h + L),
        "double": k * E / (h + E + L),
        "ratio": k * (E / L) ** 0.6 / (1.7 + (E / L) ** 0.6),
    }
    found = {
        "mass": m.mass_action(killers, rate=number(1e-9)),
        "killer": m.killer_saturated(killers, greatest=greatest, half=half),
        "target": m.target_saturated(killers, targets, greatest=greatest, half=half),
        "double": m.doubly_saturated(killers, targets, greatest=greatest, half=half),
        "ratio": m.ratio_dependent(
            killers, targets, greatest=greatest, half=number(1.7), exponent=number(0.6)
        ),
    }
    for form, value in found.items():
        assert float(value) == pytest.approx(expected[form], rel=1e-12), form
    for bounded in ("killer", "double", "ratio"):
        assert float(found[bounded]) <= k
    for counted in ("target", "double"):  # kills per killer and day
        assert float(found[counted]) * L / E <= k * (1 + 1e-12)


def test_growth_laws() -> None:
    """Logistic and Gompertz growth end at the capacity; of ln L, by SciPy."""
    capacity, rate = 2e12, 0.03
    for law in (m.logistic_growth, m.gompertz_growth):
        grown = law(number(capacity), rate=number(rate), capacity=number(capacity))
        assert float(grown) == pytest.approx(0.0, abs=1e-15)
    end = solved(
        lambda l: (  # noqa: E741
            m.logistic_growth(
                m.cells_of_log(l), rate=number(rate), capacity=number(capacity)
            ),
        ),
        [math.log(1e9)], 100.0,
    )  # fmt: skip
    expected = capacity / (1 + (capacity / 1e9 - 1) * math.exp(-rate * 100))
    assert math.exp(end[0]) == pytest.approx(expected, rel=1e-8)
    few = m.gompertz_growth(number(1e4), rate=number(rate), capacity=number(capacity))
    assert float(few) == pytest.approx(rate * math.log(2e8))  # 19 times as fast
    assert float(m.cells_of_log(number(1e4))) == pytest.approx(math.exp(60))


def test_bystander_cells_rest_without_help() -> None:
    def change(cells: float, helpers: float) -> float:
        return float(
            m.bystander_expansion(
                number(cells), number(1e5), number(helpers), division=number(0.4),
                half_antigen=number(1e5), half_help=number(1e9), capacity=number(8e8),
                death=number(0.04), rest=number(1e6),
            )
        )  # fmt: skip

    assert change(1e6, 0.0) == 0.0
    assert change(2e6, 0.0) == pytest.approx(-0.04e6)
    # half the antigen, half the help
    assert change(1e6, 1e9) == pytest.approx(0.4 / 4 * 1e6 * (1 - 1e6 / 8e8), rel=1e-12)


def test_toxicity_and_gvhd() -> None:
    released = m.cytokine_release(
        number(2e9), number(0.5), number(20.0), number(3e9),
        from_reaction=number(0.4), from_il2=number(0.5), from_kill=number(0.05),
    )  # fmt: skip
    assert float(released) == pytest.approx(0.4 + 1.0 + 0.15)
    assert float(m.running_peak(number(2.0), number(1.5))) == pytest.approx(4.0)
    assert float(m.running_peak(number(1.0), number(1.5))) == 0.0
    # at a peak of 1 the grade's odds are e^-c; no signal, no toxicity
    graded = m.grade_at_least(number(1.0), number(2.2), slope=number(1.2))
    assert float(graded) == pytest.approx(1 / (1 + math.exp(2.2)))
    assert float(m.grade_at_least(number(0.0), number(2.2), slope=number(1.2))) < 1e-12
    assert float(m.gvhd_exposure(number(-5.0))) == 0.0
    found = m.gvhd_probability(number(1e-3), hazard=number(0.5))
    assert float(found) == pytest.approx(1 - math.exp(-5e-4), rel=1e-12)


def test_chimerism_and_counts() -> None:
    share = m.chimerism(number(5e9), number(4e9), scored=number(1.25))
    assert float(share) == pytest.approx(0.5)
    assert float(m.per_microlitre(number(7e9), blood_share=number(0.02))) == 28.0


@seeded
@given(STATES, STATES, STATES)
def test_wild_states_give_finite_rates_and_gradients(
    a: float, b: float, c: float
) -> None:
    """A solver's trial step may leave the sensible: no pole, no NaN."""
    one = number(1.0)

    def total(x: jax.Array) -> jax.Array:
        a, b, c = x
        return jnp.stack([
            m.saturation(a, one), m.hill(a, one, one * 1.7),
            m.lymphopenia(a, b, rest=one * 3e11, exponent=one * 0.4),
            m.rejection(a, b, greatest=one, half=one),
            m.veto(a, b, c, greatest=one, half=one),
            m.doubly_saturated(a, m.cells_of_log(b), greatest=one, half=one),
            m.ratio_dependent(a, b, greatest=one, half=one, exponent=one * 0.6),
            m.gompertz_recovery(a, rate=one, rest=one * 3e11),
            m.gompertz_growth(a, rate=one, capacity=one * 2e12),
            m.friberg_proliferation(
                one, a, one * 0.1, k=one, rest=one * 5, feedback=one * 0.2
            ),
            m.grade_at_least(a, one, slope=one), m.gvhd_exposure(a),
            m.chimerism(a, b, scored=one), m.extinction_gate(a),
        ]).sum()  # fmt: skip

    value, slope = jax.value_and_grad(total)(jnp.array([a, b, c]))
    assert np.isfinite(value)
    assert np.all(np.isfinite(slope))


@pytest.mark.parametrize("low", [1e-6, 1e-90, 1e-160, 1e-300])
def test_a_peak_has_a_slope_when_the_signal_has_died_out(low: float) -> None:
    """Half a day in which a signal far below its peak rises a little: the peak stays,
    and its derivative by a common factor x is the peak itself."""

    def peak(x: jax.Array) -> jax.Array:
        ends = number(low) * x, number(1.1 * low) * x
        return m.running_peak_after(*ends, number(2.0) * x, number(0.5))

    value, slope = jax.jvp(peak, (number(1.0),), (number(1.0),))
    assert (float(value), float(slope)) == (2.0, 2.0)
