"""Bayesian population pharmacodynamics of IMAK cell therapy.

The public API, in the order of the pipeline; each name is imported when it is first
asked for, since JAX and what stands on it take seconds.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imak_pkpd.check.convergence import diagnose as diagnose
    from imak_pkpd.data.read import read_dataset as read_dataset
    from imak_pkpd.data.schedule import build_schedule as build_schedule
    from imak_pkpd.fit.fit import (
        fit as fit_posterior,  # noqa: F401
        resume as resume,
    )
    from imak_pkpd.fit.posterior import (
        effect_forms as effect_forms,
        population_model as population_model,
    )
    from imak_pkpd.fit.problem import read_problem as read_problem
    from imak_pkpd.fit.spec import read_fit as read_fit
    from imak_pkpd.model.load import load_model as load_model
    from imak_pkpd.report.page import write_report as write_report
    from imak_pkpd.solve.mesh import build_mesh as build_mesh
    from imak_pkpd.solve.trajectory import (
        predict as predict,
        solve as solve_model,  # noqa: F401
    )

_HOMES = {
    "read_dataset": "imak_pkpd.data.read:read_dataset",
    "build_schedule": "imak_pkpd.data.schedule:build_schedule",
    "load_model": "imak_pkpd.model.load:load_model",
    "build_mesh": "imak_pkpd.solve.mesh:build_mesh",
    "predict": "imak_pkpd.solve.trajectory:predict",
    "solve_model": "imak_pkpd.solve.trajectory:solve",
    "read_fit": "imak_pkpd.fit.spec:read_fit",
    "read_problem": "imak_pkpd.fit.problem:read_problem",
    "effect_forms": "imak_pkpd.fit.posterior:effect_forms",
    "population_model": "imak_pkpd.fit.posterior:population_model",
    "fit_posterior": "imak_pkpd.fit.fit:fit",
    "resume": "imak_pkpd.fit.fit:resume",
    "diagnose": "imak_pkpd.check.convergence:diagnose",
    "write_report": "imak_pkpd.report.page:write_report",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'imak_pkpd' has no attribute '{name}'")
    module, attribute = _HOMES[name].split(":")
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return [*globals(), *_HOMES]
