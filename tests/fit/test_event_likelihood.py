"""Log-likelihoods of times to events, from the fit file on, against closed forms."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from scipy import stats

from imak_pkpd.fit.agreement import check_fit
from imak_pkpd.fit.meshes import event_mesh, finer
from imak_pkpd.fit.problem import read_model
from imak_pkpd.fit.spec import read_fit
from tests.fit.hazard_trial import (
    HEADER,
    TRUTH,
    at_truth,
    by_subject,
    make_problem,
    outputs,
)

LAWS = {
    "gompertz": stats.gompertz(TRUTH["b"] / TRUTH["g"], scale=1 / TRUTH["g"]),
    "weibull": stats.weibull_min(TRUTH["shape"], scale=TRUTH["s"]),
    "constant": stats.expon(scale=1 / TRUTH["r"]),
}
# On 64 steps, (0.15 * 20 / 64)^4 / 720 = 7e-9 of Gompertz's H. Weibull's h, t^1.5, has
# no second derivative at 0: the first step errs by 1/16 of its own integral, which is
# (1/64)^2.5 of the whole, together 2e-6 (of H = 3.6: 7e-6, which an interval keeps).
CLOSE = {"gompertz": 1e-8, "weibull": 1e-5, "constant": 1e-12}
ENTRY = "1,0,1,0\n2,0,1,0\n3,0,1,0\n"


def three(kind: int) -> str:
    """Three patients, seen at 0, at 3 and last at 20, 11 and 4.5."""
    ends = (20.0, 11.0, 4.5)
    return "".join(
        f"{i},0,1,0\n{i},3,1,0\n{i},{end},1,{kind}\n" for i, end in enumerate(ends, 1)
    )


@pytest.mark.parametrize("name", LAWS)
def test_exact_interval_and_censored(tmp_path: Path, name: str) -> None:
    law, ends = LAWS[name], np.array([20.0, 11.0, 4.5])
    last = make_problem(tmp_path, outputs(**{name: "exact"}), three(0))
    np.testing.assert_allclose(at_truth(last), law.logsf(ends), rtol=CLOSE[name])
    exact = make_problem(tmp_path, outputs(**{name: "exact"}), three(1))
    np.testing.assert_allclose(at_truth(exact), law.logpdf(ends), rtol=CLOSE[name])
    between = make_problem(tmp_path, outputs(**{name: "interval"}), three(1))
    wanted = np.log(law.cdf(ends) - law.cdf(3.0))
    near = CLOSE[name]
    np.testing.assert_allclose(at_truth(between), wanted, rtol=near, atol=near)


def test_the_error_falls_with_the_mesh(tmp_path: Path) -> None:
    """Half the steps, a sixteenth of the error: at most an eighth, above rounding."""
    problem = make_problem(tmp_path, outputs(gompertz="exact"), three(0))
    sites = {f"theta_{n}": jnp.log(jnp.asarray(v)) for n, v in TRUTH.items()}
    wanted = LAWS["gompertz"].logsf([20.0, 11.0, 4.5])
    coarse = event_mesh(problem)
    errors = [
        np.abs(np.asarray(by_subject(problem, sites, mesh)) - wanted).max()
        for mesh in (coarse, finer(problem, coarse))
    ]
    assert 1e-12 < errors[1] < errors[0] / 8


@pytest.mark.parametrize("name", ["gompertz", "constant"])
def test_tiny_windows_and_tiny_hazards(tmp_path: Path, name: str) -> None:
    """Windows of 1e-6 days after 10 days, hazards down to 1e-12: log of h times its
    length, to the relative change of h over it and the rounding of 10 + 1e-6."""
    rows = "1,0,1,0\n1,10,1,0\n1,10.000001,1,1\n"
    problem = make_problem(tmp_path, outputs(**{name: "interval"}), rows)
    width = 10.000001 - 10
    for small in (1.0, 1e-10):
        b, r = TRUTH["b"] * small, TRUTH["r"] * small
        h = b * np.exp(TRUTH["g"] * 10) if name == "gompertz" else r
        grown = b / TRUTH["g"] * np.expm1(TRUTH["g"] * 10)
        past = grown if name == "gompertz" else 10 * r
        found = at_truth(problem, b=b, r=r)
        np.testing.assert_allclose(found, np.log(h * width) - past, rtol=1e-7)


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    visits=st.lists(st.floats(0.01, 19.9), max_size=6, unique=True).map(sorted),
    event=st.sampled_from([0, 1]),
)
def test_rows_without_the_event_add_up(
    tmp_path: Path, visits: list[float], event: int
) -> None:
    """As many rows with DV = 0 as one likes, before an exact event or the last one.

    Each adds nodes to the mesh: the two integrals agree to that of the coarser.
    """
    extra = "".join(f"1,{time!r},1,0\n" for time in visits)
    many = f"1,0,1,0\n{extra}1,20,1,{event}\n"
    few = f"2,0,1,0\n2,20,1,{event}\n"
    problem = make_problem(tmp_path, outputs(gompertz="exact"), many + few)
    one, other = at_truth(problem)
    np.testing.assert_allclose(one, other, rtol=CLOSE["gompertz"])


def test_risk_begins_with_the_first_record(tmp_path: Path) -> None:
    """An entry at 5 days, by a record that is nothing else: h from then on."""
    rows = "1,5,2,.,.\n1,20,0,1,1\n"
    header = "ID,TIME,EVID,DVID,DV"
    problem = make_problem(tmp_path, outputs(constant="exact"), rows, header=header)
    wanted = LAWS["constant"].logpdf(20.0) - LAWS["constant"].logsf(5.0)
    np.testing.assert_allclose(at_truth(problem), wanted, rtol=1e-12)


def test_competing_risks(tmp_path: Path) -> None:
    """The first of two: its density times the survival of the other; the cumulative
    incidence of the first by then is what is left (rounding: 1e-12)."""
    rows = "1,0,1,0\n1,9,1,1\n1,9,2,0\n2,0,1,0\n2,6,1,0\n2,6,2,1\n"
    blocks = outputs(constant="exact", weibull="exact")
    problem = make_problem(tmp_path, blocks, rows)
    one, two = LAWS["constant"], LAWS["weibull"]
    wanted = [one.logpdf(9) + two.logsf(9), one.logsf(6) + two.logpdf(6)]
    np.testing.assert_allclose(at_truth(problem), wanted, rtol=CLOSE["weibull"])


def test_a_cure_is_a_plateau(tmp_path: Path) -> None:
    """h = b exp(-c t): S falls to exp(-b/c) and stays there."""
    rows = "".join(f"{i},0,1,0\n{i},{t},1,0\n" for i, t in enumerate((60, 400), 1))
    problem = make_problem(tmp_path, outputs(cured="exact"), rows)
    b, c = 1.2, 0.1
    survival = at_truth(problem, b=b, c=c)
    # on 64 steps of 400 days a decay by e^-0.6 per step: (0.62)^4 / 720 = 2e-4
    np.testing.assert_allclose(survival[1], -b / c, rtol=3e-4)
    np.testing.assert_allclose(survival[0], -b / c * -np.expm1(-c * 60), rtol=2e-7)


def test_a_drug_that_arrives_late(tmp_path: Path) -> None:
    """Two doses, whose lag carries the first past a visit: H is q AUC, which jumps in
    slope inside the steps (0.3 * 20 / 64)^4 / 720 = 1e-7; and its slope by the lag."""
    rows = "1,0,1,100,.,.\n1,0.5,0,.,1,0\n1,6,1,50,.,.\n1,20,0,.,1,1\n"
    problem = make_problem(
        tmp_path,
        outputs(harm="exact"),
        rows,
        model="drug_hazard.py",
        theta="ke = { median = 0.3, gsd = 2 }\nq = { median = 0.01, gsd = 2 }\n"
        "lag = { median = 1, gsd = 2 }",
        data='inputs = { 1 = "drug" }',
        header="ID,TIME,EVID,AMT,DVID,DV",
    )
    mesh = event_mesh(problem)

    def found(lag: jax.Array) -> jax.Array:
        natural = {"ke": jnp.asarray(0.3), "q": jnp.asarray(0.01), "lag": lag}
        sites = {f"theta_{n}": jnp.log(v) for n, v in natural.items()}
        return by_subject(problem, sites, mesh)[0]

    def wanted(lag: jax.Array) -> jax.Array:
        since = 20 - jnp.asarray([0.0, 6.0]) - lag
        left, dose = jnp.exp(-0.3 * since), 0.01 * jnp.asarray([100.0, 50.0])
        return jnp.log(dose @ left) - dose @ (1 - left) / 0.3

    for lag in (0.2, 0.9):  # it arrives before the visit, and after it
        at = jnp.asarray(lag)
        np.testing.assert_allclose(found(at), wanted(at), rtol=2e-7)
        slopes = jax.grad(found)(at), jax.grad(wanted)(at)
        np.testing.assert_allclose(*slopes, rtol=2e-6)


def test_a_model_without_states(tmp_path: Path) -> None:
    """A constant hazard that a covariate changes at 4 and 7 days: H is a sum."""
    header = "ID,TIME,EVID,DVID,DV,DRUG"
    rows = "1,0,2,.,.,0\n1,4,2,.,.,1\n1,7,2,.,.,3\n1,10,0,1,1,3\n"
    rows += "2,0,2,.,.,1\n2,5,0,1,0,1\n"
    problem = make_problem(
        tmp_path,
        outputs(relapse="exact"),
        rows,
        model="constant_hazard.py",
        theta="r = { median = 0.1, sd = 0.05 }\n[covariate.r]\nDRUG = "
        '{ form = "linear", reference = 0, slope = { fixed = 0.25 } }',
        data='covariates = { DRUG = "locf" }',
        header=header,
    )
    found = by_subject(problem, {"theta_r": jnp.asarray(0.1)})
    h = 0.1 * (1 + 0.25 * np.array([0, 1, 3]))
    wanted = [np.log(h[2]) - 4 * h[0] - 3 * h[1] - 3 * h[2], -5 * h[1]]
    np.testing.assert_allclose(found, wanted, rtol=1e-13)


def test_padding_changes_nothing(tmp_path: Path) -> None:
    """Rows and nodes of a patient beside one with many more: to the last digits."""
    alone = make_problem(tmp_path, outputs(gompertz="interval"), "1,0,1,0\n1,9,1,1\n")
    found = at_truth(alone)
    longer = "".join(f"2,{t},1,0\n" for t in range(20))
    both = make_problem(
        tmp_path, outputs(gompertz="interval"), "1,0,1,0\n1,9,1,1\n" + longer
    )
    np.testing.assert_allclose(at_truth(both)[:1], found, rtol=1e-14)


@pytest.mark.parametrize("kind", ["exact", "interval"])
def test_gradients(tmp_path: Path, kind: str) -> None:
    """Of all hazards at once, by every parameter, to 1e-5 of central differences
    (their own error: 1e-5^2 of the third derivative, and 1e-11 of rounding)."""
    names = ("gompertz", "weibull", "constant", "cured")
    rows = "".join(
        f"{i},0,{i},0\n{i},7,{i},0\n{i},11,{i},1\n" for i in range(1, len(names) + 1)
    )
    problem = make_problem(tmp_path, outputs(**dict.fromkeys(names, kind)), rows)
    sites = {f"theta_{n}": jnp.log(jnp.asarray(v)) for n, v in TRUTH.items()}
    mesh = event_mesh(problem)
    total = jax.jit(lambda values: by_subject(problem, values, mesh).sum())
    slopes = jax.grad(total)(sites)
    for name, value in sites.items():
        up, down = (total({**sites, name: value + d}) for d in (1e-5, -1e-5))
        np.testing.assert_allclose(slopes[name], (up - down) / 2e-5, rtol=1e-5)


def test_what_a_fit_of_hazards_refuses(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, outputs(gompertz="exact"), ENTRY)
    path = tmp_path / "tte.toml"
    path.write_text(path.read_text() + '[solver]\nmethod = "adaptive"\n')
    (found,) = check_fit(read_fit(path), problem.model)
    assert found == (
        "tte.toml:20: solver.method: got 'adaptive', but the hazard gompertz is "
        "integrated on the steps of a mesh, which this method does not have: "
        "write 'mesh'"
    )


def test_a_hazard_in_another_unit(tmp_path: Path) -> None:
    (tmp_path / "level.py").write_text(
        Path(__file__)
        .parents[1]
        .joinpath("reference_models/constant_hazard.py")
        .read_text()
        .replace('"relapse": "1/day"', '"relapse": "1/week"')
    )
    (tmp_path / "tte.csv").write_text(HEADER + "\n1,0,1,0\n")
    (tmp_path / "tte.toml").write_text(
        'problem = "p"\nmodel = "level.py"\n[data]\nfile = "tte.csv"\ntime = "day"\n'
        '[output.relapse]\nunit = "1/week"\nerror = "event"\n[theta]\n'
        "r = { fixed = 0.1 }\n"
    )
    with pytest.raises(ValueError, match="its hazard, per time: give it in '1/day'"):
        read_model(read_fit(tmp_path / "tte.toml"))
