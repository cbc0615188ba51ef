"""`Rodas`: the Rosenbrock step as a diffrax solver, for solves to a tolerance.

Where a model is stiff the explicit solver of the reference takes all its steps; this
one is then the reference: `Adaptive(solver=Rodas())`.
"""

from typing import Any, ClassVar

import diffrax
import equinox as eqx

from imak_pkpd.solve.rosenbrock import RODAS, RosenbrockTableau, rosenbrock_step
from imak_pkpd.solve.tableau import Vector


class Rodas(diffrax.AbstractAdaptiveSolver):
    """A solver of one stacked state, which carries nothing from step to step."""

    tableau: RosenbrockTableau = eqx.field(static=True, default=RODAS)
    term_structure: ClassVar[Any] = diffrax.AbstractTerm
    interpolation_cls: ClassVar[Any] = diffrax.LocalLinearInterpolation

    def order(self, terms: Any) -> int:
        return 4  # of RODAS; its embedded solution has one less

    def init(self, terms: Any, t0: Any, t1: Any, y0: Any, args: Any) -> None:
        return None

    def step(
        self,
        terms: Any,
        t0: Any,
        t1: Any,
        y0: Any,
        args: Any,
        solver_state: None,
        made_jump: Any,
    ) -> tuple[Vector, Vector, dict[str, Vector], None, Any]:
        field = lambda t, y: terms.vf(t, y, args)  # noqa: E731
        state, error = rosenbrock_step(self.tableau, field, t0, y0, t1 - t0)
        ends = {"y0": y0, "y1": state}
        return state, error, ends, None, diffrax.RESULTS.successful

    def func(self, terms: Any, t0: Any, y0: Any, args: Any) -> Vector:
        return terms.vf(t0, y0, args)
