"""The culture at its prior medians against what another program gave at day 4."""

from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from imak_pkpd.model import Inputs, load_model, parameters
from imak_pkpd.model.abstract import AbstractModel
from tests.solve.medians import prior_medians

NOTHING = Inputs({"il2": jnp.zeros(())}, {})


@pytest.fixture(scope="module")
def culture(root: Path, shared: Path) -> AbstractModel:
    kind = load_model(root / "models" / "il2_culture.py")
    medians = prior_medians(shared)
    return kind(**{name: jnp.asarray(medians[name]) for name in parameters(kind)})


def day(culture: AbstractModel, il2: float, end: float) -> dict[str, float]:
    """The outputs at day `end` of a culture that began with so much IL-2."""
    start = culture.dose(culture.initial(NOTHING), "il2", jnp.asarray(il2))
    names = type(start)
    rates = jax.jit(lambda t, y: jnp.stack(culture.rates(t, names(*y), NOTHING)))
    done = solve_ivp(rates, (0.0, end), np.array(start), rtol=1e-10, atol=1e-12)
    seen = culture.observe(jnp.asarray(end), names(*done.y[:, -1]), NOTHING)
    return {name: float(value) for name, value in seen.items()}


def test_the_product_of_four_days(culture: AbstractModel) -> None:
    """Stated: T 67 %, NK 18 %, viability 88 %, recovery 0.92, IL-2 falls to 3860."""
    found = day(culture, 6000.0, 4.0)
    assert round(found["t"]) == 67
    assert round(found["nk"]) == 18
    assert round(found["viability"]) == 88
    assert round(found["recovery"], 2) == 0.92
    assert found["il2"] == pytest.approx(3860, abs=5)  # stated to three digits


def test_without_il2_nothing_is_activated(culture: AbstractModel) -> None:
    """All pools then only decay: T cells by e^(-dTr t)."""
    found = day(culture, 0.0, 4.0)
    assert found["lak"] == 0.0
    seed, T0 = float(culture.cul_seed), float(culture.cul_fT0)
    left = seed * T0 * np.exp(-4 * float(culture.cul_dTr))
    assert found["t"] / 100 * found["live"] == pytest.approx(left, rel=1e-8)


def test_more_il2_more_lak_cells(culture: AbstractModel) -> None:
    shares = [day(culture, dose, 4.0)["lak"] for dose in (0.0, 60.0, 600.0, 6000.0)]
    assert shares == sorted(shares)
    assert shares[-1] > 95  # E is 0.96-0.98 all along: almost every NK cell is active


def test_shares_of_more_than_all_leave_no_others(culture: AbstractModel) -> None:
    """Two shares drawn apart may add up to more than 1; the seeding density stays."""
    crowded = eqx.tree_at(
        lambda c: (c.cul_fT0, c.cul_fN0), culture, (jnp.asarray(0.9), jnp.asarray(0.3))
    )
    start = crowded.initial(NOTHING)
    seed = float(culture.cul_seed)
    assert float(start.Tr) == pytest.approx(0.75 * seed)
    assert float(start.Nr) == pytest.approx(0.25 * seed)
    assert float(start.O) == pytest.approx(0.0, abs=1e-12)
