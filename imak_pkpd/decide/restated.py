"""Draws of one fit in the sites of another, from which it differs in what is known
alone: a parameter is switched off or has another prior, facts are read otherwise.

The patients, their treatment and what is computed of them are then the same programs,
and the same virtual patients.
"""

from collections.abc import Iterator, Mapping, Sequence

import jax.numpy as jnp
import numpy as np

from imak_pkpd.fit.spec import FitSpec
from imak_pkpd.model import AnyModel, parameters, to_scale
from imak_pkpd.population import PriorBlock
from imak_pkpd.population.prior import AbstractPrior

Sites = Mapping[str, np.ndarray]
Known = tuple[str, float]
"""A site, and the number that it always has."""


def restated(
    drawn: Sites,
    spec: FitSpec,
    into: FitSpec,
    model: type[AnyModel],
    wanted: Sequence[str],
) -> dict[str, np.ndarray] | None:
    """The `wanted` sites of `into` at `drawn`, [draw, ...], draws of `spec`.

    What has a prior in `into` may be fixed in `spec`, and what differs between patients
    may not differ there. None where another difference remains.
    """
    if not _same_patients(spec, into):
        return None
    known = dict(_thetas(spec, into, model)) | dict(_omegas(spec, into))
    if not set(wanted) <= {*drawn, *known}:
        return None
    draws = len(next(iter(drawn.values())))
    return {
        name: drawn[name] if name in drawn else np.full(draws, known[name])
        for name in wanted
    }


def _same_patients(spec: FitSpec, into: FitSpec) -> bool:
    """But for numbers with a prior, which may be known."""

    def rest(of: FitSpec) -> tuple:
        return of.model, of.covariate, of.cohort, of.estimand, of.solver

    lines, others = spec.omega.deviations, into.omega.deviations
    return (
        rest(spec) == rest(into)
        and spec.omega.blocks == into.omega.blocks
        and set(lines) <= set(others)
        and all(_within(spec.theta[n], block) for n, block in into.theta.items())
        and all(_within(lines.get(n), block) for n, block in others.items())
    )


def _within(one: AbstractPrior | None, other: AbstractPrior) -> bool:
    """Whether the program of `other` takes what `one` is; None: it is nothing."""
    if other.sampled:
        return one is None or (one.column is None and _kind(one) == _kind(other))
    given = (one.fixed, one.column, _kind(one)) if one is not None else None
    return given == (other.fixed, other.column, _kind(other))


def _kind(block: AbstractPrior) -> str | None:
    """Whether the number is an SD or its square, where it is one of these."""
    return block.of if isinstance(block, PriorBlock) else None


def _thetas(spec: FitSpec, into: FitSpec, model: type[AnyModel]) -> Iterator[Known]:
    """On the parameter's scale."""
    for name, info in parameters(model).items():
        fixed = spec.theta[name].fixed
        if fixed is not None and into.theta[name].sampled:
            yield f"theta_{name}", float(to_scale(jnp.asarray(fixed), info.scale))


def _omegas(spec: FitSpec, into: FitSpec) -> Iterator[Known]:
    """0 for what does not differ between patients."""
    for name, block in into.omega.deviations.items():
        own = spec.omega.deviations.get(name)
        fixed = 0.0 if own is None else own.fixed
        if fixed is not None and block.sampled:
            yield f"omega_{name}{'_variance' * (block.of == 'variance')}", fixed
