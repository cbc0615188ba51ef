"""A fit file that does not agree with its model: one sentence each, with its line."""

from pathlib import Path

import pytest

from imak_pkpd.data import read_dataset
from imak_pkpd.fit.agreement import check_fit, check_levels, missing_files
from imak_pkpd.fit.spec import FitSpec, read_fit
from imak_pkpd.model import AbstractLinear, AbstractStatic, Scalar, parameter

FIT = """\
problem = "one compartment"
model = "m.py"
[data]
file = "d.csv"
time = "h"
inputs = { 1 = "central" }
covariates = { WT = "constant", SEX = "constant", CRP = "locf" }
[output.concentration]
unit = "mg/L"
error = "proportional"
sigma = { dist = "HalfNormal", scale = 0.3 }
[theta]
CL = { median = 3.0, gsd = 1.6 }
V  = { median = 30.0, gsd = 1.6 }
F  = { median = 0.5, sd = 1.5 }
E0 = { dist = "Normal", loc = 0.0, scale = 1.0 }
[omega]
CL = { dist = "HalfNormal", scale = 0.5 }
V  = { dist = "HalfNormal", scale = 0.5 }
[covariate.CL]
WT  = { form = "power", reference = 70.0, exponent = { fixed = 0.75 } }
SEX = { form = "categorical", reference = "F", effect = { M = { dist = "Normal" } } }
[covariate.V]
WT = { form = "power", reference = 70.0, exponent = { fixed = 1.0 } }
[solver]
method = "mesh"
"""


class Body(AbstractLinear):
    CL: Scalar = parameter("L/h", "clearance")
    V: Scalar = parameter("L", "volume")
    F: Scalar = parameter("", "bioavailability", scale="logit")
    E0: Scalar = parameter("", "baseline", scale="identity")
    time = "h"
    doses = {"central": "mg"}
    outputs = {"concentration": "mg/L", "effect": ""}


class Still(AbstractStatic):
    CL: Scalar = parameter("L/h", "clearance")
    time = ""
    outputs = {"concentration": "mg/L"}


def read(folder: Path, text: str = FIT) -> FitSpec:
    path = folder / "fit.toml"
    path.write_text(text)
    return read_fit(path)


def test_a_fit_that_agrees(tmp_path: Path) -> None:
    assert check_fit(read(tmp_path), Body) == []


MEDIAN_V = "{ median = 30.0, gsd = 1.6 }"
SPREAD_V = 'V  = { dist = "HalfNormal", scale = 0.5 }'
EFFECT_V = 'WT = { form = "power", reference = 70.0, exponent = { fixed = 1.0 } }'
OUTPUT = "output.concentration"
PEAK = '[estimand]\nx = { kind = "peak", output = "effect" }\n[solver]'


@pytest.mark.parametrize(
    ("old", "new", "want"),
    [
        ("V  = { m", "Vc = { m", "12: theta: the model's parameter 'V' is missing"),
        (
            "V  = { m",
            "CLL = { fixed = 1.0 }\nV  = { m",
            "14: theta.CLL: the model has no",
        ),
        (
            "F  = { median = 0.5, s",
            "F  = { median = 0.5, gs",
            "15: theta.F: a gsd needs",
        ),
        (
            "= 30.0, gsd",
            "= 0.0, gsd",
            "14: theta.V: got 0.0, but a parameter on the log",
        ),
        ("V  = { dist", "Vd = { dist", "19: omega.Vd: the model has no parameter 'Vd'"),
        (
            "[covariate.V]",
            "[covariate.W]",
            "23: covariate.W: the model has no parameter",
        ),
        ("[covariate.V]", "[covariate.E0]", "24: covariate.E0.WT.form: form 'power' c"),
        (
            "{ WT = ",
            "{ WGT = ",
            "21: covariate.CL.WT: column 'WT' is not declared (did",
        ),
        (
            'WT = "constant"',
            'WT = "linear"',
            "21: covariate.CL.WT: column 'WT' is carr",
        ),
        (
            MEDIAN_V,
            '{ column = "VOL" }',
            "14: theta.V.column: column 'VOL' is not decl",
        ),
        (
            SPREAD_V,
            'V  = { column = "CRP" }',
            "19: omega.V.column: column 'CRP' may change inside a subject, but",
        ),
        (
            FIT[FIT.index(SPREAD_V) : FIT.index("[solver]")],
            'V  = { fixed = 0.5, form = "centred" }\n[covariate.V]\n'
            f"{EFFECT_V.replace('WT', 'CRP')}\n",
            "21: covariate.V.CRP: column 'CRP' may change inside a subject, but 'V'",
        ),
        (
            'unit = "mg/L"',
            'unit = "ng/mL"',
            f"9: {OUTPUT}.unit: got 'ng/mL', but the m",
        ),
        (
            "[output.concen",
            "[output.consen",
            "8: output.consentration: the model has no",
        ),
        ('time = "h"', 'time = "day"', "5: data.time: got 'day', but the model's time"),
        ('time = "h"\n', "", "3: data.time: got '', but the model's time is 'h'"),
        (
            '"central"',
            '"centrl"',
            "6: data.inputs.1: the model has no dose 'centrl' (d",
        ),
        (
            "[output",
            'units = { central = "ug" }\n[output',
            "8: data.units.central: got 'ug', but the model's doses of central are in "
            "'mg': convert AMT",
        ),
        (
            "[output",
            'units = { centrl = "mg" }\n[output',
            "8: data.units.centrl: the model has no dose 'centrl' (did you mean 'cen",
        ),
        (
            "[solver]",
            PEAK.replace("effect", "concentratoin"),
            "26: estimand.x.output: the model has no output 'concentratoin' (did you",
        ),
        (
            "[solver]",
            PEAK.replace("effect", 'effect", dose = "po'),
            "26: estimand.x.dose: the model has no dose 'po'",
        ),
    ],
)
def test_a_fit_that_does_not(tmp_path: Path, old: str, new: str, want: str) -> None:
    assert old in FIT
    found = check_fit(read(tmp_path, FIT.replace(old, new)), Body)
    assert f"fit.toml:{want}" in "\n".join(found)


def test_two_outputs_need_their_dvid(tmp_path: Path) -> None:
    other = '[output.effect]\nunit = ""\nerror = "additive"\nsigma = { fixed = 1.0 }\n'
    text = FIT.replace("[theta]", f"{other}[theta]")
    want = "with several outputs each needs its dvid: add it"
    assert check_fit(read(tmp_path, text), Body) == [
        f"fit.toml:8: output.concentration: {want}",
        f"fit.toml:12: output.effect: {want}",
    ]
    both = text.replace("unit =", "dvid = 2\nunit =")
    assert check_fit(read(tmp_path, both), Body)[0] == (
        "fit.toml:9: output.concentration.dvid: dvid 2 has two outputs"
    )


def test_no_output_and_no_data(tmp_path: Path) -> None:
    text = 'problem = "p"\nmodel = "m.py"\n[theta]\nCL = { fixed = 1.0 }\n'
    assert check_fit(read(tmp_path, text), Still) == [
        "fit.toml:1: output: no [output.NAME] table: add one per measured output",
        "fit.toml:1: data: no [data] table: add one with file and time",
    ]


def test_a_model_without_time_or_closed_form(tmp_path: Path) -> None:
    text = f"""problem = "p"
model = "m.py"
[data]
file = "d.csv"
{FIT[FIT.index("[output") : FIT.index("V  = {")]}[solver]
method = "closed"
"""
    assert check_fit(read(tmp_path, text), Still) == [
        "fit.toml:12: solver.method: Still has no closed form: write 'mesh'"
    ]


def test_files_that_do_not_exist(tmp_path: Path) -> None:
    spec = read(tmp_path)
    assert missing_files(spec) == [
        f"fit.toml:2: model: there is no file {tmp_path / 'm.py'}",
        f"fit.toml:4: data.file: there is no file {tmp_path / 'd.csv'}",
    ]
    (tmp_path / "m.py").touch()
    (tmp_path / "d.csv").touch()
    assert missing_files(spec) == []


@pytest.mark.parametrize(
    ("sex", "reference", "level", "want"),
    [
        ("F,M,U", "F", "M", ["the data have 'U' too: add an effect for each"]),
        ("F,M,F", "F", "M", []),
        ("0,1,2", "0", "1", ["the data have '2' too: add an effect for each"]),
        ("0,1,0", "0", "1", []),
    ],
)
def test_categories_of_the_data(
    tmp_path: Path, sex: str, reference: str, level: str, want: list[str]
) -> None:
    rows = (f"{n},0,1,70,{each},1" for n, each in enumerate(sex.split(","), 1))
    (tmp_path / "d.csv").write_text("\n".join(["ID,TIME,DV,WT,SEX,CRP", *rows, ""]))
    text = FIT.replace('reference = "F"', f'reference = "{reference}"')
    spec = read(tmp_path, text.replace("{ M =", f"{{ {level} ="))
    assert spec.data is not None
    found = check_levels(spec, read_dataset(spec.data, tmp_path))
    assert found == [f"fit.toml:22: covariate.CL.SEX: {each}" for each in want]


class TwoDoses(Body):
    doses = {"central": "mg", "depot": "mg"}


def test_with_several_doses_an_estimand_says_which(tmp_path: Path) -> None:
    text = FIT + '[estimand]\nx = { kind = "area", output = "effect" }\n'
    assert check_fit(read(tmp_path, text), Body) == []
    (found,) = check_fit(read(tmp_path, text), TwoDoses)
    assert "estimand.x: say from which dose it counts: add dose = one of" in found


@pytest.mark.parametrize(
    ("line", "want"),
    [
        (
            '{ kind = "crossing", output = "c" }',
            "the key 'below' is missing",
        ),
        (
            '{ kind = "area", output = "c", above = 1.0 }',
            "unknown key 'above'",
        ),
        (
            '{ kind = "crossing", output = "c", above = 1.0 }',
            "unknown key 'above'",
        ),
        ('{ kind = "crossing", output = "c", below = 0.0 }', "estimand.x.below"),
        ('{ kind = "crosing", output = "c", below = 1.0 }', "estimand.x.kind"),
        ('{ kind = "peak", outptu = "c" }', "outptu"),
    ],
)
def test_a_line_of_estimand_that_is_wrong(tmp_path: Path, line: str, want: str) -> None:
    with pytest.raises(ValueError, match=r"fit\.toml:26: ") as refused:
        read(tmp_path, FIT.replace("[solver]", f"[estimand]\nx = {line}\n[solver]"))
    assert want in str(refused.value)
