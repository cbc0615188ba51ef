"""Fit files as a user writes them: what is read, and what is refused and where."""

import math
from itertools import zip_longest
from pathlib import Path

import pytest

from imak_pkpd.fit.grammar import FitError
from imak_pkpd.fit.spec import FitSpec, read_fit

CORE = """\
problem  = "IMAK core model, between-subject variability on expansion"
based_on = "100-imak-core.toml"
model    = "../models/imak_core.py"

[data]
file = "data/imak_core.csv"
time = "day"
inputs = { 1 = "cells" }
covariates = { WT = "locf", HLA = "constant" }

[output.donor]
dvid = 1
error = "lognormal"
sigma = { dist = "HalfNormal", scale = 0.5 }
censoring = "M3"

[theta]
rho = { median = 3.0, gsd = 1.6, source = "a paper" }
w0  = { column = "WT" }

[omega]
rho = { dist = "HalfNormal", scale = 0.5 }
kap = { dist = "HalfNormal", scale = 0.5, of = "variance", form = "z" }
correlation = { parameters = ["rho", "kap"], lkj = 2.0 }

[covariate.rho]
WT = { form = "power", reference = 70.0, exponent = { fixed = -0.25 } }

[solver]
[estimation]
"""
BELOW = """\
problem = "IMAK core model"
model = "../models/imak_core.py"
[output.donor]
unit = "cells/uL"
error = "lognormal"
sigma = { fixed = 0.3 }
[theta]
kap = { dist = "Normal", loc = 0.0, scale = 1.0 }
rho = { fixed = 2.0 }
old = { fixed = 1.0 }
[estimation]
chains = 2
"""
CORE = CORE.replace("w0  =", 'old = "drop"\nw0  =')


def write(folder: Path, own: str = CORE, below: str = BELOW) -> Path:
    (folder / "100-imak-core.toml").write_text(below)
    path = folder / "101-imak-core.toml"
    path.write_text(own)
    return path


def read(folder: Path, own: str = CORE) -> FitSpec:
    return read_fit(write(folder, own))


def refused(folder: Path, own: str) -> tuple[str, ...]:
    with pytest.raises(FitError) as caught:
        read(folder, own)
    return caught.value.sentences


def test_the_example(tmp_path: Path) -> None:
    spec = read(tmp_path)
    assert spec.problem.endswith("variability on expansion")
    assert spec.model == tmp_path.parent / "models" / "imak_core.py"
    assert spec.data is not None
    assert spec.data.covariates == {"WT": "locf", "HLA": "constant"}
    assert spec.output["donor"].unit == "cells/uL"
    assert str(spec.output["donor"].sigma) == "HalfNormal(scale = 0.5)"
    assert list(spec.theta) == ["kap", "rho", "w0"]
    assert str(spec.theta["rho"]) == "median = 3.0, gsd = 1.6"
    assert spec.omega.random == ("rho", "kap")
    assert spec.omega.correlation[0].lkj == 2.0
    assert spec.covariate["rho"]["WT"].form == "power"
    assert spec.estimation.chains == 2
    assert spec.extra_columns == ("WT",)
    assert [file.path.name for file in spec.source.files] == [
        "101-imak-core.toml",
        "100-imak-core.toml",
    ]


def test_what_is_printed_can_be_read_again(tmp_path: Path) -> None:
    spec = read(tmp_path)
    text = str(spec)
    assert text.startswith("# 101-imak-core.toml (based on 100-imak-core.toml)\n")
    assert 'inputs = { 1 = "cells" }' in text
    again = tmp_path / "printed.toml"
    again.write_text(text)
    assert read_fit(again) == spec


def test_the_hash_is_of_what_is_said(tmp_path: Path) -> None:
    spec = read(tmp_path)
    elsewhere = tmp_path / "a" / "b"
    elsewhere.mkdir(parents=True)
    same = read(elsewhere, "# a comment\n" + CORE)
    other = read(elsewhere, CORE.replace("lkj = 2.0", "lkj = 2.5"))
    assert hash(same) == hash(spec)
    assert same == spec
    assert other != spec


def test_a_spec_cannot_be_changed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="frozen"):
        read(tmp_path).problem = "another"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("old", "new", "want"),
    [
        (
            "median = 3.0",
            "meadian = 3.0",
            "theta.rho.meadian: unknown key 'meadian' (did you mean 'median'?)",
        ),
        (
            "[solver]",
            "[sovler]",
            "sovler: unknown key 'sovler' (did you mean",
        ),
        (
            "[solver]",
            "[solver]\nmesh = 1",
            "solver.mesh: unknown key 'mesh' (did you mean 'method'?)",
        ),
        (
            'censoring = "M3"',
            'censorin = "M3"',
            "output.donor.censorin: unknown key 'censorin' (did you mean 'censoring'?)",
        ),
        (
            'censoring = "M3"',
            'censoring = "m3"',
            "output.donor.censoring: got 'm3' (did you mean 'M3'?): write 'M3' or 'M4'",
        ),
        (
            '"HalfNormal", scale = 0.5, of',
            '"HalfNrmal", scale = 0.5, of',
            "omega.kap.dist: unknown distribution 'HalfNrmal' (did you mean",
        ),
        (
            '{ dist = "HalfNormal", scale = 0.5 }\ncens',
            '{ dist = "HalfNormal", sclae = 0.5 }\ncens',
            "output.donor.sigma.sclae: unknown argument of HalfNormal 'sclae' "
            "(did you mean 'scale'?)",
        ),
        (
            'form = "power"',
            'form = "powr"',
            "covariate.rho.WT.form: got 'powr' (did you mean 'power'?): write one of "
            "'power', 'exponential', 'linear', 'indicator', 'categorical'",
        ),
        (
            "reference = 70.0",
            "refernce = 70.0",
            "covariate.rho.WT.refernce: unknown key 'refernce' "
            "(did you mean 'reference'?)",
        ),
        (
            "reference = 70.0, ",
            "",
            "covariate.rho.WT: the key 'reference' is missing",
        ),
        ("gsd = 1.6", "gsd = 0.6", "theta.rho.gsd: got 0.6: expected greater than 1"),
        ("gsd = 1.6", "gsd = true", "theta.rho.gsd: got True: expected a valid number"),
        (
            "lkj = 2.0",
            "lkj = 2.0, lkk = 1",
            "omega.correlation.lkk: unknown key 'lkk' (did you mean 'lkj'?)",
        ),
        (
            'WT = "locf"',
            'WT = "lcf"',
            "data.covariates.WT: got 'lcf' (did you mean",
        ),
        ("[estimation]", "[estimation]\nchains = 0", "estimation.chains: got 0"),
        ("w0  =", "path = 1\nw0  =", "theta.path: got 1: write { fixed }"),
        ("problem  =", "path = 1\nproblem  =", "path: unknown key 'path'"),
    ],
)
def test_refusals_name_file_line_and_key(
    tmp_path: Path, old: str, new: str, want: str
) -> None:
    text = CORE.replace(old, new)
    assert text != CORE
    sentences = refused(tmp_path, text)
    pairs = zip_longest(text.splitlines(), CORE.splitlines())
    line = next(n for n, (new, old) in enumerate(pairs, 1) if new != old)
    assert sentences[0].startswith(f"101-imak-core.toml:{line}: {want}")


def test_a_refusal_of_a_whole_table_names_its_header(tmp_path: Path) -> None:
    text = CORE.replace('["rho", "kap"]', '["rho", "kp"]')
    line = CORE.splitlines().index("[omega]") + 1
    want = f"101-imak-core.toml:{line}: omega: 'kp' is correlated but has no SD"
    assert refused(tmp_path, text)[0].startswith(want)


def test_a_key_that_the_file_below_set_names_that_file(tmp_path: Path) -> None:
    text = CORE.replace('error = "lognormal"', 'error = "additive"')
    below = BELOW.replace(
        "[theta]", "[covariate.rho.WT]\nslope = { fixed = 1.0 }\n[theta]"
    )
    with pytest.raises(FitError) as caught:
        read_fit(write(tmp_path, text, below))
    want = (
        "100-imak-core.toml:8: covariate.rho.WT.slope: unknown key 'slope'; in "
        '101-imak-core.toml write slope = "drop" to remove it'
    )
    assert caught.value.sentences == (want,)


def test_all_errors_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = CORE.replace("gsd", "gds").replace('"lognormal"', '"lognorm"')
    sentences = refused(tmp_path, text.replace("lkj = 2.0", "lkj = -1.0"))
    lines = [int(each.split(":")[1]) for each in sentences]
    assert len(sentences) == 3
    assert lines == sorted(lines)


def test_no_fit_file(tmp_path: Path) -> None:
    with pytest.raises(FitError, match=r"cannot read .*none.toml: No such file"):
        read_fit(tmp_path / "none.toml")


def test_nothing_is_run(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text("raise SystemExit")
    fit = tmp_path / "f.toml"
    fit.write_text('problem = "p"\nmodel = "m.py"\n')
    assert read_fit(fit).model == tmp_path / "m.py"


def test_not_a_number_in_a_prior(tmp_path: Path) -> None:
    assert "finite number" in refused(tmp_path, CORE.replace("3.0", str(math.nan)))[0]
