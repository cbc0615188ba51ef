"""`imak check` of published facts: who would count twice."""

import json
from pathlib import Path

from typer.testing import CliRunner

from imak_pkpd.cli.app import app


def test_phase_one_may_overlap(root: Path) -> None:
    """A warning and no error; the same words for a program."""
    path = str(root / "fits/200-slavin2023.toml")
    done = CliRunner().invoke(app, ["check", path])
    assert done.exit_code == 0
    assert "5 of 7 facts used" in done.output
    shared, tuned, product = done.output.splitlines()[-3:]
    assert shared.startswith("warning: slavin2023 and slavin2010 may have patients in")
    assert shared.endswith("phase_1_no_engraftment and phase_1_gvhd are kept out.")
    assert tuned.startswith("warning: Priors of tum_log10B0, trial_cells_amount, z_rho")
    assert "remission, no_male_cells, no_grade_4, no_gvhd and cured" in tuned
    assert product.startswith("warning: Priors of prod_fT and prod_fN were set")
    answer = json.loads(CliRunner().invoke(app, ["check", path, "--json"]).output)
    assert [f"warning: {words}" for words in answer["warnings"]] == [
        shared,
        tuned,
        product,
    ]
