"""Two ways to write the same history give the same predictions, by every stepper.

The histories are drawn by hypothesis; times are multiples of a quarter of an hour, so
that events do fall on the same time.
"""

from collections.abc import Mapping
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import assume, given, settings, strategies as st

from imak_pkpd.model import AbstractModel, Dosing
from imak_pkpd.model.load import load_model
from imak_pkpd.solve.mesh import build_mesh
from imak_pkpd.solve.stepper import AbstractStepper
from tests.solve.records import (
    ADAPTIVE,
    CLOSED,
    FILLER,
    MESH,
    Record,
    Subject,
    by_time,
    dose,
    mesh_of,
    model_of,
    other,
    outputs,
    program,
    reset,
    schedule_of,
    seen,
    solved,
)

MODELS = Path(__file__).parents[1] / "reference_models"
KIND = load_model(MODELS / "event_semantics.py")
LAST = 96.0  # h, the last observation
Values = Mapping[str, float]


def approx(expected: np.ndarray, stepper: AbstractStepper) -> object:
    """1e-9 by closed form, 1e-6 by ODE: the limits of the reference cases.

    The absolute part is for what has decayed: doses are near 100 mg, so concentrations
    near 5000 ug/L.
    """
    return pytest.approx(expected, rel=1e-9 if stepper is CLOSED else 1e-6, abs=1e-5)


def quarters(low: float, high: float) -> st.SearchStrategy[float]:
    return st.integers(round(4 * low), round(4 * high)).map(lambda n: n / 4)


@st.composite
def values(draw: st.DrawFn) -> dict[str, float]:
    """Parameters; k = CL/V >= 0.1/h. Lag and durations fall on quarters, or do not."""
    between = lambda a, b: draw(st.floats(a, b))  # noqa: E731
    V = between(5.0, 20.0)
    return {
        "KA": between(0.5, 1.2),
        "V": V,
        "CL": V * between(0.1, 1.0),
        "F2": draw(st.sampled_from((1.0, 0.5)) | st.floats(0.2, 1.0)),
        "ALAG2": draw(quarters(0, 5) | st.floats(0.0, 5.0)),
        "R2": between(10.0, 50.0),
        "D2": draw(quarters(0.5, 6) | st.floats(0.5, 6.0)),
    }


@st.composite
def given_as(draw: st.DrawFn) -> dict[str, float]:
    """How a dose is given: bolus, RATE, modelled rate, modelled duration or DUR."""
    return draw(
        st.sampled_from(
            ({}, {"RATE": 25.0}, {"RATE": -1.0}, {"RATE": -2.0}, {"DUR": 3.0})
        )
    )


observations = st.lists(quarters(0, LAST), min_size=4, max_size=10).map(sorted)


def compared(stepper: AbstractStepper) -> settings:
    """Some 20 examples; fewer by the adaptive solver."""
    count = 8 if stepper is ADAPTIVE else 20
    return settings(max_examples=count, deadline=None, derandomize=True)


each_stepper = pytest.mark.parametrize(
    "stepper", [CLOSED, MESH, ADAPTIVE], ids=["closed form", "mesh", "adaptive"]
)


def same(first: Subject, second: Subject, v: Values, stepper: AbstractStepper) -> None:
    one, two = outputs(KIND, v, [first, second], stepper)
    assert one == approx(two, stepper)


@each_stepper
def test_additional_doses_are_records(stepper: AbstractStepper) -> None:
    @compared(stepper)
    @given(
        v=values(),
        way=given_as(),
        cmt=st.sampled_from((1, 2)),
        start=quarters(0, 20),
        interval=quarters(1, 12),
        more=st.integers(1, 5),
        times=observations,
    )
    def check(
        v: Values, way: dict, cmt: int, start: float, interval: float, more: int,
        times: list[float],
    ) -> None:  # fmt: skip
        way = way if cmt == 2 or way.get("RATE", 0) >= 0 else {}
        short = dose(start, 90.0, cmt, **way, ADDL=more, II=interval)
        long = [dose(start + k * interval, 90.0, cmt, **way) for k in range(more + 1)]
        begin = other(0.0)
        same(
            by_time(begin, short, *seen(*times)),
            by_time(begin, *long, *seen(*times)),
            v,
            stepper,
        )

    check()


@each_stepper
def test_a_reset_is_a_fresh_subject(stepper: AbstractStepper) -> None:
    """Doses before it are gone, lagged and unfinished ones too; TIME may restart."""

    @compared(stepper)
    @given(
        v=values(),
        before=st.lists(
            st.tuples(quarters(0, 30), given_as(), st.sampled_from((1, 2))), max_size=4
        ),
        way=given_as(),
        restart=st.booleans(),
        with_dose=st.booleans(),
        times=observations.map(lambda ts: [t / 2 for t in ts]),
    )
    def check(
        v: Values, before: list, way: dict, restart: bool, with_dose: bool,
        times: list[float],
    ) -> None:  # fmt: skip
        begin = 0.0 if restart else 30.0
        old = [
            dose(t, 70.0, cmt, **(w if cmt == 2 else {}), ADDL=2, II=9.0)
            for t, w, cmt in before
        ]
        first = dose(begin, 80.0, **way, EVID=4) if with_dose else reset(begin)
        new = [first, *seen(*(begin + t for t in times))]
        fresh = [dose(0.0, 80.0, **way) if with_dose else other(0.0), *seen(*times)]
        same([*by_time(other(0.0), *old), *new], fresh, v, stepper)

    check()


@each_stepper
def test_an_infusion_is_two_of_half_its_rate(stepper: AbstractStepper) -> None:
    @compared(stepper)
    @given(
        v=values(),
        start=quarters(0, 30),
        way=st.sampled_from(({"RATE": 25.0}, {"RATE": -2.0}, {"DUR": 3.0})),
        times=observations,
    )
    def check(v: Values, start: float, way: dict, times: list[float]) -> None:
        rate = way.get("RATE", 0.0)
        half = {**way, "RATE": rate / 2} if rate > 0 else way
        begin = other(0.0)
        same(
            by_time(begin, dose(start, 90.0, **way), *seen(*times)),
            by_time(
                begin,
                dose(start, 45.0, **half),
                dose(start, 45.0, **half),
                *seen(*times),
            ),
            v,
            stepper,
        )

    check()


@each_stepper
def test_equal_times_follow_the_file(stepper: AbstractStepper) -> None:
    """An observation before a bolus in the file misses it, one after it sees it."""

    @compared(stepper)
    @given(v=values(), time=quarters(0, 40), lagged=st.booleans())
    def check(v: Values, time: float, lagged: bool) -> None:
        v = {**v, "ALAG2": max(v["ALAG2"], 0.25) if lagged else 0.0}
        past, given_now, look = dose(0.0, 50.0, cmt=1), dose(time, 90.0), seen(time)
        later = seen(time, LAST)
        after, before = outputs(
            KIND, v,
            [[past, given_now, *look, *later], [past, *look, given_now, *later]],
            stepper,
        )  # fmt: skip
        jump = 0.0 if lagged else 1000 * v["F2"] * 90.0 / v["V"]
        assert after[0] - before[0] == approx(np.asarray(jump), stepper)
        assert after[1:] == approx(before[1:], stepper)

    check()


@each_stepper
@pytest.mark.parametrize("steady", [1, 2])
def test_a_steady_state_is_many_past_doses(
    stepper: AbstractStepper, steady: int
) -> None:
    """SS = 2 on top of what is there. 16 intervals of 8 h at 0.1/h leave 3e-6."""

    @compared(stepper)
    @given(
        v=values(),
        way=st.sampled_from(
            ({}, {"RATE": 25.0}, {"RATE": 5.0}, {"RATE": -1.0}, {"RATE": -2.0})
        ),
        interval=quarters(8, 12),
        more=st.integers(0, 2),
        times=observations.map(lambda ts: [12.0 + 0.8 * t for t in ts]),
    )
    def check(
        v: Values, way: dict, interval: float, more: int, times: list[float]
    ) -> None:
        v = {**v, "CL": v["V"] * (0.15 + v["CL"] / v["V"])}  # leaves 2e-14
        repeat = {"II": interval, "ADDL": more}
        record = dose(12.0, 90.0, **way, SS=steady, **repeat)
        past = dose(12.0 - 16 * interval, 90.0, **way, II=interval, ADDL=16 + more)
        earlier = [dose(0.0, 60.0, cmt=1)] * (steady == 2)
        same(
            by_time(other(0.0), dose(0.0, 60.0, cmt=1), record, *seen(*times)),
            by_time(past, *earlier, *seen(*times)),
            v,
            stepper,
        )

    check()


def test_a_constant_infusion_at_steady_state_is_rate_over_clearance() -> None:
    v = {"KA": 1.0, "CL": 3.0, "V": 10.0, "F2": 0.5, "ALAG2": 1.0, "R2": 1.0, "D2": 1.0}
    history = [dose(5.0, 0.0, RATE=6.0, SS=1), *seen(5.0, 8.0)]
    expected = 1000 * 6.0 / 3.0 * np.array([1.0, np.exp(-0.3 * 3.0)])
    for stepper in (CLOSED, MESH, ADAPTIVE):
        got, _ = outputs(KIND, v, [history, history], stepper)
        assert got == approx(expected, stepper)


@each_stepper
def test_a_lag_moves_a_dose_past_what_it_passes(stepper: AbstractStepper) -> None:
    """An observation, another dose, a reset: as if recorded where it arrives."""

    @compared(stepper)
    @given(
        v=values(),
        time=quarters(0, 10),
        way=given_as(),
        wipe=quarters(5, 12),
        times=observations,
    )
    def check(
        v: Values, time: float, way: dict, wipe: float, times: list[float]
    ) -> None:
        arrival = time + v["ALAG2"]
        begin, passed, gone = other(0.0), dose(7.0, 40.0, cmt=1), reset(wipe)
        rest = [passed, gone, *seen(*times)]
        moved = [dose(arrival, 90.0, **way)] * (arrival < wipe or time >= wipe)
        lagged = by_time(begin, dose(time, 90.0, **way), *rest)
        recorded = by_time(begin, *moved, *rest)
        assume(time != wipe)  # then the file order says whether it was before
        both = {**v, "ALAG2": np.array([v["ALAG2"], 0.0])}
        one, two = outputs(KIND, both, [lagged, recorded], stepper)
        assert one == approx(two, stepper)

    check()


@st.composite
def histories(draw: st.DrawFn) -> Subject:
    """Any records: doses of every kind, resets, restarts, steady states, ties."""
    records: list[Record] = [other(0.0)]
    for _ in range(draw(st.integers(1, 5))):
        cmt = draw(st.sampled_from((1, 2)))
        way = draw(given_as()) if cmt == 2 else {}
        repeat = draw(
            st.sampled_from(({}, {"II": 10.0, "ADDL": 2}, {"II": 9.0, "SS": 1},
                             {"II": 11.0, "SS": 2, "ADDL": 1}))
        )  # fmt: skip
        evid = draw(st.sampled_from((1, 1, 1, 4)))
        time = draw(quarters(0, 60))
        records.append(dose(time, 80.0, cmt, **way, **repeat, EVID=evid))
    # At most two records set a steady state or reset, as the filler has room for.
    kept: list[Record] = []
    for record in records:
        few = sum(r.get("SS", 0) > 0 for r in kept) < 2 and (
            sum(r.get("SS", 0) == 1 or r["EVID"] == 4 for r in kept) < 1
        )
        plain = record.get("SS", 0) == 0 and record["EVID"] != 4
        kept += [record] * (plain or few)
    return by_time(*kept, *seen(*draw(observations)))


def test_closed_form_mesh_and_adaptive_agree() -> None:
    """Any history, any parameters; 1e-6, the limit of the reference cases for ODEs."""

    @settings(max_examples=25, deadline=None, derandomize=True)
    @given(v=values(), first=histories(), second=histories())
    def check(v: Values, first: Subject, second: Subject) -> None:
        exact = outputs(KIND, v, [first, second], CLOSED)
        for stepper in (MESH, ADAPTIVE):
            for got, want in zip(
                outputs(KIND, v, [first, second], stepper), exact, strict=True
            ):
                assert got == approx(want, stepper)

    check()


@pytest.mark.parametrize("stepper", [CLOSED, MESH], ids=["closed form", "mesh"])
def test_inserted_arrivals_are_those_of_a_fixed_mesh(stepper: AbstractStepper) -> None:
    """Lag 0 and F 1: the mesh made on the host has the arrivals from the start."""
    fixed = dict.fromkeys(KIND.doses, Dosing())

    @settings(max_examples=6, deadline=None, derandomize=True)
    @given(v=values(), first=histories(), second=histories())
    def check(v: Values, first: Subject, second: Subject) -> None:
        v = {**v, "ALAG2": 0.0, "F2": 1.0}
        both = [[_timed(r) for r in subject] for subject in (first, second)]
        moving = solved(KIND, v, both, stepper)
        schedule = schedule_of([*both, FILLER], KIND)
        mesh = mesh_of(schedule, KIND, stepper, dosing=fixed)
        assert not mesh.moving
        model: AbstractModel = model_of(KIND, v, 2)
        static = program(stepper)(model, schedule, mesh)
        for i, subject in enumerate(both):
            n = sum(r["EVID"] == 0 for r in subject)
            one, two = (np.asarray(p.outputs["concentration"][i, :n])
                        for p in (moving, static))  # fmt: skip
            assert one == approx(two, stepper)

    def _timed(record: Record) -> Record:
        """A modelled rate or duration would move an arrival: a fixed one instead."""
        return {**record, "RATE": 20.0} if record.get("RATE", 0) < 0 else record

    check()


@pytest.mark.parametrize("stepper", [MESH, ADAPTIVE], ids=["mesh", "adaptive"])
def test_rates_see_time_and_not_the_clock(stepper: AbstractStepper) -> None:
    """TIME restarts at EVID 4: the model's t is TIME, SLOPE (t^2 - t0^2) / 2."""
    kind = load_model(MODELS / "time_in_rates.py")
    history = [
        dose(2.0, 10.0, cmt=1),
        *seen(6.0),
        dose(1.0, 5.0, cmt=1, EVID=4),
        *seen(1.0, 4.0),
        dose(4.0, 6.0, cmt=1, RATE=2.0),
        *seen(7.0, 9.0),
    ]
    schedule = schedule_of([history], kind)
    mesh = build_mesh(schedule, {"input": Dosing()}, [np.array([3.0, 8.5])])
    found = program(stepper)(kind(jnp.full(1, 0.5)), schedule, mesh)
    growth = lambda a, b: 0.25 * (b**2 - a**2)  # noqa: E731
    expected = [10.0 + growth(2, 6), 5.0, 5.0 + growth(1, 4), 11.0 + growth(1, 7),
                11.0 + growth(1, 9)]  # fmt: skip
    got = np.asarray(found.outputs["amount"])[0, :5]
    assert got == pytest.approx(expected, rel=1e-9)  # both are exact for a parabola
