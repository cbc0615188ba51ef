"""What one more sample of one patient is worth: a response that is normal, read with a
normal error, so that every posterior and every gain is known on paper."""

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

from imak_pkpd.decide.finished_run import read_finished
from imak_pkpd.decide.imagined import given_patient
from imak_pkpd.decide.next_records import with_options
from imak_pkpd.decide.open_options import open_options
from imak_pkpd.decide.option import Further, Option
from imak_pkpd.decide.sample_days import Question, SampleDays, sample_days
from imak_pkpd.decide.sample_tables import sentences
from tests.decide.made_run import made_run

MODEL = '''"""A response that stays, and may be negative, when the drug has gone."""

from typing import NamedTuple
import jax.numpy as jnp
from imak_pkpd.model import AbstractModel, Scalar, parameter


class Given(NamedTuple):
    a: Scalar
    drug: Scalar


class Response(AbstractModel):
    time = "day"
    doses = {"a": "mg"}
    outputs = {"gain": ""}
    s: Scalar = parameter("1/mg", "response", "made up", scale="identity")

    def initial(self, inputs):
        return Given(jnp.zeros_like(self.s), jnp.zeros_like(self.s))

    def dose(self, state, name, amount):
        return Given(state.a + amount, state.drug + amount)

    def rates(self, t, state, inputs):
        return Given(0.0 * state.a, -0.5 * state.drug)

    def observe(self, t, state, inputs):
        return {"gain": self.s * state.a}
'''
MEAN, OMEGA, SIGMA, DOSE, COST = 0.2, 1.0, 3.0, 3.0, 0.3
FIT = f"""problem = "a response that is normal"
model = "model.py"
[data]
file = "data.csv"
time = "day"
inputs = {{ 1 = "a" }}
[output.gain]
unit = ""
error = "additive"
sigma = {{ fixed = {SIGMA} }}
[theta]
s = {{ median = {MEAN}, sd = 1.0 }}
[omega]
s = {{ fixed = {OMEGA} }}
[estimand]
gain = {{ kind = "value", output = "gain", at = 0.0, dose = "a" }}
[cohort.trial]
patients = 16
horizon = 8.0
[cohort.trial.group]
odd = {{ share = 0.5 }}
[cohort.trial.dose]
a = {{ times = [0.0], amount = {DOSE} }}
[decision]
cohort = "trial"
utility = "gain - {COST}*a"
"""
ONE_LEVEL = f"[decision.amount]\na = {{ levels = [{DOSE}] }}\n"
TWO = "[decision.times]\na = { options = [[0.0], [0.0, 4.0]] }\n"
THREE = "[decision.times]\na = { options = [[0.0], [0.0, 4.0], [0.0, 4.0, 6.0]] }\n"
DATA = "ID,TIME,EVID,AMT,CMT,DV\n1,0,1,3,1,.\n1,8,0,.,.,1\n"
LEVEL = 1.5  # what the first sample reads
FILE = f"ID,TIME,EVID,AMT,CMT,DV\nAda,0,1,3,1,.\nAda,1,0,.,.,{LEVEL}\n"
UNSAMPLED = "ID,TIME,EVID,AMT,CMT,DV\nAda,0,1,3,1,.\n"


def response_run(folder: Path, decision: str, file: str) -> Path:
    """A known population; the patient's file beside it."""
    draws = {"theta_s": np.full(64, MEAN)}
    (folder / "new.csv").write_text(file)
    return made_run(folder, MODEL, FIT + decision, DATA, draws)


def answer(
    folder: Path, decision: str, days: tuple[float, ...], file: str = FILE
) -> SampleDays:
    run = read_finished(response_run(folder, decision, file))
    return sample_days(run, Question(patient=folder / "new.csv", days=days))


def posterior(file: str) -> tuple[float, float]:
    """Mean and variance of s, given the first sample where there is one."""
    if file == UNSAMPLED:
        return MEAN, OMEGA**2
    precision = 1 / OMEGA**2 + DOSE**2 / SIGMA**2
    return (MEAN / OMEGA**2 + DOSE * LEVEL / SIGMA**2) / precision, 1 / precision


def learnt(variance: float, given: float) -> float:
    """The variance of the next posterior mean, after a reading of `given` times s."""
    return variance**2 / (variance + (SIGMA / given) ** 2)


def unit_loss(mean: float, variance: float) -> float:
    """E max(0, m) - max(0, mean) of a normal m (Raiffa & Schlaifer 1961, 5.4)."""
    sd = np.sqrt(variance)
    far = abs(mean) / sd
    return float(sd * (norm.pdf(far) - far * norm.sf(far)))


@pytest.mark.parametrize("file", [FILE, UNSAMPLED])
def test_a_second_dose_is_worth_what_is_on_paper(tmp_path: Path, file: str) -> None:
    """3 (s - cost) against nothing: linear in a normal, within four errors; exactly
    nothing once the dose is given."""
    mean, variance = posterior(file)
    found = answer(tmp_path, ONE_LEVEL + TWO, (2.0, 4.0), file)
    before, after = found.gained
    paper = DOSE * unit_loss(mean - COST, learnt(variance, DOSE))
    perfect = DOSE * unit_loss(mean - COST, variance)
    assert before.designs == 2
    assert abs(before.gain.value - paper) < 4 * before.gain.se
    assert before.gain.se < 0.15 * paper
    assert abs(before.bound.value - perfect) < 4 * before.bound.se
    assert before.gain.value < before.bound.value
    assert found.evpi == before.bound
    assert (after.designs, after.gain, after.bound) == (1, (0.0, 0.0), (0.0, 0.0))


def test_errors_are_those_of_the_effective_draws(tmp_path: Path) -> None:
    """Of EVPI: the SD of max(0, d) - [mean > 0] d over the root of the effective
    number. 25 blocks know it to 14 %: within a half."""
    mean, variance = posterior(FILE)
    found = answer(tmp_path, ONE_LEVEL + TWO, (2.0,))
    normal = np.random.default_rng(1).standard_normal(100_000)
    d = DOSE * (mean - COST + np.sqrt(variance) * normal)
    paper = (np.maximum(d, 0) - (mean > COST) * d).std() / np.sqrt(found.effective)
    assert found.evpi is not None
    assert found.evpi.se == pytest.approx(paper, rel=0.5)


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> SampleDays:
    """Nothing, a second dose, or a second and a third one."""
    folder = tmp_path_factory.mktemp("three")
    return answer(folder, ONE_LEVEL + THREE, (2.0, 5.0, 6.0))


def test_a_reading_is_of_what_was_given_until_then(three: SampleDays) -> None:
    """On day 5 the second dose is given, so that s is read twice as well; what is still
    open is the third. On day 2 all three are open: by quadrature."""
    mean, variance = posterior(FILE)
    early, middle, late = three.gained
    m = mean + np.sqrt(learnt(variance, DOSE)) * np.linspace(-8, 8, 4001)
    weight = norm.pdf(np.linspace(-8, 8, 4001))
    three = np.stack([3 * m, 6 * m - DOSE * COST, 9 * m - DOSE * COST])
    paper = np.average(three.max(0), weights=weight) - (9 * mean - DOSE * COST)
    assert early.designs == 3
    assert abs(early.gain.value - paper) < 4 * early.gain.se
    paper = DOSE * unit_loss(mean, learnt(variance, 2 * DOSE))
    assert middle.designs == 2
    assert abs(middle.gain.value - paper) < 4 * middle.gain.se
    of_the_first_dose = DOSE * unit_loss(mean, learnt(variance, DOSE))
    assert middle.gain.value - 4 * middle.gain.se > of_the_first_dose
    assert (late.designs, late.gain) == (1, (0.0, 0.0))


def test_what_is_open_is_said(three: SampleDays) -> None:
    said = " ".join(sentences(three))
    assert "After the last record (at 1) the designs of [decision] leave: " in said
    assert "no further dose; a 3 at 4; a 3 at 4 + 6." in said
    assert "Best as things stand: a 3 at 4 + 6." in said
    assert "knowing everything of the patient now would gain" in said


@pytest.mark.parametrize(
    ("limit", "designs", "said"),
    [
        (1.5, [1], "Nothing is open on these days"),
        (0.5, [], "No design is admissible"),
    ],
)
def test_limits_hold_for_the_mean_of_the_patient(
    tmp_path: Path, limit: float, designs: list[int], said: str
) -> None:
    """3 and 6 times a mean of 0.35: a limit between them, and one below."""
    bounded = f"[decision.limit]\ngain = {{ at_most = {limit} }}\n"
    found = answer(tmp_path, ONE_LEVEL + TWO + bounded, (2.0,))
    assert [each.designs for each in found.gained] == designs
    assert said in found.choice


def options(folder: Path, decision: str) -> tuple[Option, ...]:
    run = read_finished(response_run(folder, decision, FILE))
    patient, _ = given_patient(run, folder / "new.csv")
    assert run.spec.decision is not None
    return open_options(run.spec, run.spec.decision, patient)


def test_designs_that_leave_the_same_are_one_option(tmp_path: Path) -> None:
    """Two amounts and three courses, one of them over with the records."""
    levels = "[decision.amount]\na = { levels = [3.0, 5.0] }\n"
    times = "[decision.times]\na = { options = [[0.0], [0.0, 1.0], [0.0, 2.0]] }\n"
    assert options(tmp_path, levels + times) == (
        Option(),
        Option((Further("a", 2.0, 3.0),)),
        Option((Further("a", 2.0, 5.0),)),
    )


def test_parts_of_a_course_and_of_its_cap(tmp_path: Path) -> None:
    """A course of 8 mg, no more than 6, in four parts of which one is over."""
    levels = "[decision.amount]\na = { levels = [8.0], cap = 6.0 }\n"
    times = "[decision.times]\na = { options = [[0.0, 2.0, 4.0, 6.0]], split = true }\n"
    (only,) = options(tmp_path, levels + times)
    assert only.amounts == {"a": 6.0}  # three quarters of 8, as a utility counts it
    assert only.words == "a 6 at 2 + 4 + 6"
    run = read_finished(response_run(tmp_path, levels + times, FILE))
    patient, _ = given_patient(run, tmp_path / "new.csv")
    block, problem = run.spec.decision, patient.records.problem
    assert block is not None
    doses = run.spec.cohort["trial"].dose
    made = with_options(problem, "Ada", [only], block.amount, doses)
    given = made.dataset.records["AMT"][made.dataset.records["EVID"] == 1]
    assert given.tolist() == [3.0, 1.5, 1.5, 1.5]


GROUPED = (ONE_LEVEL + TWO, f"amount = {DOSE}", f'amount = {DOSE}, group = "odd"')


def test_one_patient_is_in_a_group_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decision, plain, grouped = GROUPED
    monkeypatch.setattr(f"{__name__}.FIT", FIT.replace(plain, grouped))
    both = "[decision.group]\nodd = [0.0, 1.0]\n"
    assert [each.words for each in options(tmp_path, decision + both)] == [
        "no further dose",
        "a 3 at 4",
    ]
    half = "[decision.group]\nodd = [0.5]\n"
    with pytest.raises(ValueError, match=r"the share 0\.5 of odd, .* write odd ="):
        options(tmp_path, decision + half)
    with pytest.raises(ValueError, match="no share of odd, whose patients get a"):
        options(tmp_path, decision)


def test_without_options_for_one_patient_a_sample_still_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of the patients are not one patient: what a sample narrows is answered, and
    why no utility is weighed is said."""
    decision, plain, grouped = GROUPED
    monkeypatch.setattr(f"{__name__}.FIT", FIT.replace(plain, grouped))
    found = answer(tmp_path, decision + "[decision.group]\nodd = [0.5]\n", (2.0,))
    assert [each.quantity for each in found.narrowed] == ["gain"]
    assert found.narrowed[0].reduction.value > 0
    assert (found.gained, found.evpi) == ((), None)
    assert "is not known: [decision] has the share 0.5 of odd" in found.choice
