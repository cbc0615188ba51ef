"""How much patients differ: the SDs of eta, their correlation, and the form of eta.

`OmegaBlock`        the table [omega]: one line per parameter, and blocks.
`CorrelationBlock`  SDs from the lines, correlations from an LKJ prior.
`CovarianceBlock`   SDs and correlations together, from an inverse-Wishart prior.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dists
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from imak_pkpd.population.prior import PriorBlock, positive
from imak_pkpd.population.refusal import refusal

Form = Literal["auto", "z", "centred", "deviation"]
"""How eta is sampled.

z          eta = omega * z, z standard normal: where data say little of one patient
deviation  eta itself: where they say much
centred    theta + covariate effects + eta, on the parameter's scale
auto       one of the first two: first by `resolve_forms`, then by what a pilot says
"""


class DeviationBlock(PriorBlock):
    """The prior of one omega (an SD on the parameter's scale), and eta's form."""

    form: Form | None = None
    level: Literal["patient"] = "patient"

    @model_validator(mode="after")
    def _positive(self) -> "DeviationBlock":
        return positive(self)


def _tuple(raw: Any) -> Any:
    return tuple(raw) if isinstance(raw, list) else raw


Names = Annotated[tuple[str, ...], BeforeValidator(_tuple), Field(min_length=2)]


class CorrelationBlock(BaseModel):
    """Correlated etas: the SDs of their lines, and an LKJ(`lkj`) correlation."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    parameters: Names
    lkj: Annotated[float, Field(gt=0)]
    form: Form | None = None

    @property
    def name(self) -> str:
        """The name of the block in sites: its parameters, joined."""
        return "_".join(self.parameters)

    def site(self) -> tuple[str, dists.Distribution]:
        """The name and the prior of the Cholesky factor of the correlation."""
        prior = dists.LKJCholesky(len(self.parameters), self.lkj)
        return f"cholesky_{self.name}", prior


def _rows(raw: Any) -> Any:
    """A list of numbers as a diagonal matrix, a list of lists as the matrix."""
    try:
        matrix = np.asarray(raw, float)
    except TypeError as error:
        raise refusal(f"got scale = {raw!r}: write a list of numbers") from error
    matrix = np.diag(matrix) if matrix.ndim == 1 else matrix
    return tuple(tuple(row) for row in matrix.tolist())


class CovarianceBlock(BaseModel):
    """Correlated etas with an inverse-Wishart prior on their covariance O.

    Density proportional to |O|^-(df + p + 1)/2 exp(-tr(scale O^-1)/2).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    parameters: Names
    dist: Literal["InverseWishart"]
    df: float
    scale: Annotated[tuple[tuple[float, ...], ...], BeforeValidator(_rows)]
    source: str = ""
    form: Form | None = None

    @model_validator(mode="after")
    def _proper(self) -> "CovarianceBlock":
        p, matrix = len(self.parameters), np.asarray(self.scale)
        if self.df <= p - 1:
            raise refusal(f"got df = {self.df}: {p} parameters need df > {p - 1}")
        if matrix.shape != (p, p) or not np.allclose(matrix, matrix.T):
            raise refusal(
                f"got a scale of shape {matrix.shape}: write {p} numbers (its "
                f"diagonal) or a symmetric {p} x {p} matrix"
            )
        if np.linalg.eigvalsh(matrix).min() <= 0:
            raise refusal("got a scale that is not positive definite")
        return self

    @property
    def name(self) -> str:
        """The name of the block in sites: its parameters, joined."""
        return "_".join(self.parameters)

    def site(self) -> tuple[str, dists.Distribution]:
        """The name and the prior of the Cholesky factor of the covariance."""
        prior = dists.InverseWishartCholesky(
            self.df, scale_matrix=jnp.asarray(self.scale, float)
        )
        return f"cholesky_{self.name}", prior


def _listed(raw: Any) -> Any:
    return (raw,) if isinstance(raw, Mapping) else _tuple(raw)


class OmegaBlock(BaseModel):
    """The table [omega]: every key that is not declared here is a parameter."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)
    __pydantic_extra__: dict[str, DeviationBlock]
    correlation: Annotated[tuple[CorrelationBlock, ...], BeforeValidator(_listed)] = ()
    covariance: Annotated[tuple[CovarianceBlock, ...], BeforeValidator(_listed)] = ()
    form: Form = "auto"
    level: Literal["patient"] = "patient"

    @property
    def deviations(self) -> dict[str, DeviationBlock]:
        """The lines of single parameters, by parameter."""
        return dict(self.__pydantic_extra__)

    @property
    def blocks(self) -> tuple[CorrelationBlock | CovarianceBlock, ...]:
        """The correlated groups of parameters."""
        return (*self.correlation, *self.covariance)

    @property
    def random(self) -> tuple[str, ...]:
        """The parameters that differ between patients."""
        inside = [name for block in self.covariance for name in block.parameters]
        return (*self.deviations, *inside)

    @model_validator(mode="after")
    def _consistent(self) -> "OmegaBlock":
        for sentence in (*_sd_problems(self), *_form_problems(self)):
            raise refusal(sentence)
        return self


def _sd_problems(omega: OmegaBlock) -> list[str]:
    """What is said twice, or not at all, about the SDs."""
    members = [name for block in omega.blocks for name in block.parameters]
    twice = sorted({name for name in members if members.count(name) > 1})
    both = [p for b in omega.covariance for p in b.parameters if p in omega.deviations]
    bare = [
        p
        for b in omega.correlation
        for p in b.parameters
        if p not in omega.deviations and p not in twice
    ]
    read = [n for n, line in omega.deviations.items() if line.column and n in members]
    return [
        *(f"'{name}' is in two blocks or twice in one" for name in twice),
        *(f"'{name}' has an SD of its own and one in a covariance" for name in both),
        *(f"'{name}' is correlated but has no SD: add a line for it" for name in bare),
        *(
            f"'{name}' has its SD from a column: it cannot be correlated"
            for name in read
        ),
    ]


def _form_problems(omega: OmegaBlock) -> list[str]:
    """Blocks whose members could not be sampled together."""
    wanted = [(block, block_forms(omega, block)) for block in omega.blocks]
    return [
        f"the block of {', '.join(block.parameters)} has form "
        f"{' and '.join(sorted(forms))}: write one of auto, z, deviation for all"
        for block, forms in wanted
        if len(forms) > 1 or "centred" in forms
    ]


def block_forms(
    omega: OmegaBlock, block: CorrelationBlock | CovarianceBlock
) -> set[Form]:
    """The forms that the lines and the block itself ask for; one, when consistent."""
    lines = [omega.deviations.get(name) for name in block.parameters]
    said = {line.form for line in lines if line is not None and line.form is not None}
    if block.form is not None:
        said.add(block.form)
    return said or {omega.form}
