"""`used_columns`: which columns of patients the parameters of a fit file read."""

from collections.abc import Iterator

from imak_pkpd.fit.lines import Key
from imak_pkpd.fit.spec import FitSpec


def used_columns(spec: FitSpec) -> Iterator[tuple[Key, str, str]]:
    """Key of the fit file, parameter, and the data column it depends on."""
    for name, effects in spec.covariate.items():
        for key, block in effects.items():
            yield ("covariate", name, key), name, block.column or key
    for name, theta in spec.theta.items():
        if theta.column is not None:
            yield ("theta", name, "column"), name, theta.column
    for name, line in spec.omega.deviations.items():
        if line.column is not None:
            yield ("omega", name, "column"), name, line.column
