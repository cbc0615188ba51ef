"""A fit of a reference model, its steps chosen, and what its report says of them."""

from pathlib import Path

from imak_pkpd.fit.problem import Problem, read_problem
from imak_pkpd.fit.spec import read_fit
from imak_pkpd.report.blocks import Prose
from imak_pkpd.report.run import read_run
from imak_pkpd.report.sections.computation import chains

MODELS = Path(__file__).parents[1] / "reference_models"


def written_problem(folder: Path, fit: str, data: str) -> Problem:
    """The problem of a fit file with MODELS in it, and of the data beside it."""
    (folder / "fit.toml").write_text(fit.replace("MODELS", str(MODELS)))
    (folder / "data.csv").write_text(data)
    return read_problem(read_fit(folder / "fit.toml"))


def words_on_chains(folder: Path) -> list[str]:
    """The paragraphs of a run's report on how it was computed."""
    blocks = chains(read_run(folder, anonymise=False))
    return [block.text for block in blocks if isinstance(block, Prose)]
