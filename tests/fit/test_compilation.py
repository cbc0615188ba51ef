"""Data are arguments: other data of similar size run the programs that there are."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import jax
import numpy as np

from imak_pkpd.fit.estimation import EstimationBlock
from imak_pkpd.fit.sample import sample
from tests.fit.trials import COVARIATE, SMALL, Text, Trial, make_trial

SHORT = EstimationBlock(chains=1, warmup=20, draws=4, start="prior", max_tree_depth=3)


def others(text: Text) -> Text:
    """The same fit with other times, amounts, values and covariates."""
    rng = np.random.default_rng(2)

    def moved(row: dict) -> dict:
        new = dict(row)
        new["TIME"] = round(row["TIME"] * 1.07, 3)
        for name in ("DV", "AMT", "WT", "AGE"):
            if name in row:
                new[name] = round(row[name] * rng.uniform(0.9, 1.1), 3)
        return new

    def person(rows: list[dict]) -> list[dict]:
        changed = [moved(row) for row in rows]
        steady = [{**new, "AGE": changed[0]["AGE"]} if "AGE" in new else new
                  for new in changed]  # fmt: skip
        return steady

    return text._replace(subjects=[person(list(rows)) for rows in text.subjects])


@contextmanager
def counted() -> Iterator[list[str]]:
    """The programs that XLA compiles meanwhile."""
    compiled: list[str] = []

    def listen(event: str, seconds: float, **_: object) -> None:
        if event == "/jax/core/compile/backend_compile_duration":
            compiled.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        yield compiled
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)


def two(text: Text, step: float | None, folder: Path) -> tuple[Trial, Trial]:
    """A trial and one with other data; the arrays differ and their shapes do not."""
    folders = [folder / "a", folder / "b"]
    for each in folders:
        each.mkdir()
    first = make_trial(text, folders[0], step)
    second = make_trial(others(text), folders[1], step)
    pairs = zip(*(jax.tree.leaves(t.args) for t in (first, second)), strict=True)
    different = [a.shape == b.shape and not np.array_equal(a, b) for a, b in pairs]
    assert sum(different) >= 4
    return first, second


def test_other_data_compile_no_density(tmp_path: Path) -> None:
    """Value and gradient of an ODE; the second trial is read from its own files."""
    first, second = two(*SMALL["small"], tmp_path)
    position = np.zeros(first.density.size)
    with counted() as compiled:
        before, _ = first.density.evaluate(position, first.args)
        once = len(compiled)
        after, _ = first.density.evaluate(position, second.args)
    assert len(compiled) == once > 0
    assert np.isfinite(before)
    assert np.isfinite(after)
    assert before != after


def test_a_fit_of_other_data_is_the_same_program(tmp_path: Path) -> None:
    """Its own density, as another `imak fit` makes it: the text of the program is the
    same, so that the compiled one is found on disk."""
    texts = [
        jax.jit(jax.value_and_grad(t.density.potential))
        .lower(np.zeros(t.density.size), t.args)
        .as_text()
        for t in two(COVARIATE, None, tmp_path)
    ]
    assert texts[0] == texts[1]


def test_other_data_compile_no_sampler(tmp_path: Path) -> None:
    """All of `sample`: starts, blocks of NUTS, metric."""
    first, second = two(COVARIATE, None, tmp_path)
    folders = (tmp_path / "first", tmp_path / "second")
    with counted() as compiled:
        one = sample(first.density, first.args, SHORT, folders[0], {"data": "a"})
        once = len(compiled)
        other = sample(first.density, second.args, SHORT, folders[1], {"data": "b"})
    assert len(compiled) == once > 0
    assert one.positions.shape == other.positions.shape
    assert one.sha256 != other.sha256
