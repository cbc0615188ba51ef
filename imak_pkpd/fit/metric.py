"""The linear map that makes the posterior round: from curvature, then from draws.

`laplace_scale` makes it from the Hessian at the mode; `adapted_scale` corrects it with
the draws of a warm-up window, `balanced_scale` with the gradients there as well. Plain
NumPy on the host, between blocks.
"""

import numpy as np
from jaxtyping import Float

# A dense map costs d² per leapfrog and needs draws in proportion to d.
DENSE_LIMIT = 300
# The longest ridge believed from curvature alone: 100 times the width of a coordinate
# with all others fixed (correlation 0.9999); a longer one is learnt from draws.
_FLATTEST = 1e-4
# A negative curvature says that the mode is not one; its size is a rough guide only.
_FLATTEST_NEGATIVE = 1e-2
# Stan's regularisation: five imaginary draws that agree with the present metric.
_PRIOR_DRAWS = 5.0
# Draws of a warm-up window are correlated: two of them count as one.
_THINNING = 2.0

Dense = Float[np.ndarray, "d d"]
Scale = Dense | Float[np.ndarray, " d"]


def laplace_scale(hessian: Dense, dense: bool) -> Scale:
    """S with S Sᵀ ≈ H⁻¹, or its diagonal's square root.

    H is scaled to a unit diagonal first; eigenvalues are made positive and floored.
    """
    width = _widths(np.diag(hessian))
    values, vectors = np.linalg.eigh(width[:, None] * hessian * width)
    steepness = np.where(
        values > 0,
        np.maximum(values, _FLATTEST),
        np.maximum(-values, _FLATTEST_NEGATIVE),
    )
    scale = width[:, None] * vectors / np.sqrt(steepness)
    return scale if dense else np.sqrt(np.sum(scale**2, axis=1))


def adapted_scale(scale: Scale, draws: Float[np.ndarray, "n d"]) -> Scale:
    """The map corrected by draws: each width, then (if dense) the odd directions.

    In the coordinates of `scale` the draws should have unit covariance. Directions
    whose sample variance leaves the Marchenko-Pastur noise bulk are stretched by the
    square root of the debiased variance; the others are left alone.
    """
    size = len(draws) / _THINNING
    white = _whiten(scale, draws - draws.mean(axis=0))
    width = np.sqrt(_variance(white, size))
    if scale.ndim == 1:
        return scale * width
    variances, vectors = _seen(white / width, size)
    return (scale * width) @ (vectors * np.sqrt(variances)) @ vectors.T


def balanced_scale(
    scale: Scale, draws: Float[np.ndarray, "n d"], gradients: Float[np.ndarray, "n d"]
) -> Scale:
    """The map corrected by draws and by the gradient of the potential at each.

    Along a bent ridge the draws alone make the map too long across it, where the step
    size then suffers; gradients tell how steep it is there. The map is the one that
    brings the score nearest to that of a standard normal (least Fisher divergence:
    Seyboldt, Carlson & Carpenter 2026, 10.48550/arXiv.2603.18845): the geometric mean
    of the covariance of the draws and the inverse of that of the gradients. First of
    each width, then (if dense) of the directions that noise does not explain.
    """
    size = len(draws) / _THINNING
    white = _whiten(scale, draws - draws.mean(axis=0))
    slopes = _pulled(scale, gradients - gradients.mean(axis=0))
    width = (_variance(white, size) / _variance(slopes, size)) ** 0.25
    if scale.ndim == 1:
        return scale * width
    spread = _product(*_seen(white / width, size))
    steepness = _product(*_seen(slopes * width, size))
    return (scale * width) @ _power(_geometric_mean(spread, steepness), 0.5)


def spiked_variance(
    sample: Float[np.ndarray, " d"], ratio: float
) -> Float[np.ndarray, " d"]:
    """True variances behind eigenvalues of a sample covariance; 1 inside the bulk.

    With `ratio` = dimensions / draws, noise of unit variance fills (1 ± √ratio)², and a
    true variance l outside shows as l + ratio·l/(l - 1): Baik & Silverstein 2006, J
    Multivar Anal 97:1382. A variance too small to see at this ratio stays 1.
    """
    middle = sample + 1.0 - ratio
    root = np.sqrt(np.maximum(middle**2 - 4.0 * sample, 0.0))
    above = sample > (1.0 + np.sqrt(ratio)) ** 2
    below = (ratio < 1.0) & (sample < (1.0 - np.sqrt(ratio)) ** 2)
    small = np.maximum((middle - root) / 2.0, _FLATTEST)
    return np.where(above, (middle + root) / 2.0, np.where(below, small, 1.0))


def _variance(
    columns: Float[np.ndarray, "n d"], size: float
) -> Float[np.ndarray, " d"]:
    """Of each column, as though a few draws more agreed with the present metric."""
    variance = np.sum(columns**2, axis=0) / (len(columns) - 1)
    return (size * variance + _PRIOR_DRAWS) / (size + _PRIOR_DRAWS)


def _seen(
    columns: Float[np.ndarray, "n d"], size: float
) -> tuple[Float[np.ndarray, " d"], Dense]:
    """Variances along directions; 1 where noise of a unit covariance explains them."""
    values, vectors = np.linalg.eigh(columns.T @ columns / (len(columns) - 1))
    return spiked_variance(values, columns.shape[1] / size), vectors


def _geometric_mean(spread: Dense, steepness: Dense) -> Dense:
    """M with M `steepness` M = `spread`."""
    root, inverse = _power(steepness, 0.5), _power(steepness, -0.5)
    return inverse @ _power(root @ spread @ root, 0.5) @ inverse


def _power(matrix: Dense, exponent: float) -> Dense:
    values, vectors = np.linalg.eigh(matrix)
    return _product(values**exponent, vectors)


def _product(values: Float[np.ndarray, " d"], vectors: Dense) -> Dense:
    """The matrix of these eigenvalues and eigenvectors."""
    return (vectors * values) @ vectors.T


def _widths(curvature: Float[np.ndarray, " d"]) -> Float[np.ndarray, " d"]:
    """1/√H_ii; where that curvature is not positive, the widest of the others."""
    positive = curvature > 0
    least = curvature[positive].min() if positive.any() else 1.0
    return 1.0 / np.sqrt(np.where(positive, curvature, least))


def _pulled(scale: Scale, g: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    return g * scale if scale.ndim == 1 else g @ scale


def _whiten(scale: Scale, x: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    return x / scale if scale.ndim == 1 else np.linalg.solve(scale, x.T).T
