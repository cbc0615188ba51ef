"""Closed forms of one state, and of two in a row (a depot feeding a compartment).

They are divided differences of exp at the eigenvalues a, b (and 0 for an infusion):
f[a, b] = (e^a - e^b) / (a - b). Near a = b the quotient cancels and has no gradient, so
there a Taylor series around the mean is used (switch at |a - b| = 1, where the quotient
loses less than one digit). Values and gradients are right to rounding for any rates,
equal ones included.
"""

from math import factorial

import jax.numpy as jnp
from jaxtyping import Array, Float

from imak_pkpd.model.abstract import Scalar

Matrix = Float[Array, "state state"]
Vector = Float[Array, " state"]

PAIR_TERMS = 8  # (1/2)^16 / 17! < 1e-19: below rounding at |a - b| = 1
TRIPLE_TERMS = 17  # h_k < (k+1)(k+2)/2 (2/3)^k, so h_17 / 19! < 1e-18


def one_state(k: Scalar, b: Scalar, dt: Scalar) -> tuple[Matrix, Vector]:
    """exp(k dt) and dt phi1(k dt) b of x' = k x + b."""
    z = k * dt
    decay = jnp.exp(z)
    gain = dt * pair(z, jnp.zeros_like(z), decay, jnp.ones_like(z))
    return decay[None, None], (gain * b)[None]


def two_states(
    K: list[list[Scalar]], b: list[Scalar], dt: Scalar, first: int
) -> tuple[Matrix, Vector]:
    """The same for two states of which `first` feeds the other and gets nothing back.

    With a, b the two eigenvalues times dt and c the coupling times dt, exp(K dt) is
    [[e^a, 0], [c f[a, b], e^b]] and phi1 is [[f[a, 0], 0], [c f[a, b, 0], f[b, 0]]].
    """
    last = 1 - first
    x, y, c = K[first][first] * dt, K[last][last] * dt, K[last][first] * dt
    zero, one = jnp.zeros_like(x), jnp.ones_like(x)
    ex, ey = jnp.exp(x), jnp.exp(y)
    xy, x0, y0 = pair(x, y, ex, ey), pair(x, zero, ex, one), pair(y, zero, ey, one)
    rows = [jnp.stack([ex, zero]), jnp.stack([c * xy, ey])]
    into = [
        dt * x0 * b[first],
        dt * (y0 * b[last] + c * triple((x, y, zero), xy, x0, y0) * b[first]),
    ]
    order = (first, last)
    matrix = [
        jnp.stack([rows[order.index(i)][order.index(j)] for j in (0, 1)])
        for i in (0, 1)
    ]
    return jnp.stack(matrix), jnp.stack([into[order.index(i)] for i in (0, 1)])


def pair(a: Scalar, b: Scalar, ea: Scalar, eb: Scalar) -> Scalar:
    """f[a, b], given e^a and e^b: e^((a+b)/2) sinh(d) / d with d = (a-b)/2."""
    apart = jnp.abs(a - b) >= 1
    middle = jnp.where(apart, 0.0, (a + b) / 2)
    square = jnp.where(apart, 0.0, (a - b) ** 2 / 4)
    series = jnp.zeros_like(square)
    for k in reversed(range(PAIR_TERMS)):
        series = series * square + 1 / factorial(2 * k + 1)
    quotient = (ea - eb) / jnp.where(apart, a - b, 1.0)
    return jnp.where(apart, quotient, jnp.exp(middle) * series)


def triple(
    at: tuple[Scalar, Scalar, Scalar], ab: Scalar, ac: Scalar, bc: Scalar
) -> Scalar:
    """f[a, b, c], given f[a, b], f[a, c] and f[b, c].

    The quotient is taken over the two points that lie farthest apart.
    """
    a, b, c = at
    wide_ab = (jnp.abs(a - b) >= jnp.abs(a - c)) & (jnp.abs(a - b) >= jnp.abs(b - c))
    wide_ac = jnp.abs(a - c) >= jnp.abs(b - c)
    rise = jnp.where(wide_ab, ac - bc, jnp.where(wide_ac, ab - bc, ab - ac))
    width = jnp.where(wide_ab, a - b, jnp.where(wide_ac, a - c, b - c))
    apart = jnp.abs(width) >= 1
    quotient = rise / jnp.where(apart, width, 1.0)
    return jnp.where(
        apart, quotient, _triple_series(*(jnp.where(apart, 0.0, x) for x in at))
    )


def _triple_series(a: Scalar, b: Scalar, c: Scalar) -> Scalar:
    """e^m sum_k h_k / (k + 2)!, h_k the complete symmetric polynomials around m.

    With u + v + w = 0 they obey h_k = -(uv + uw + vw) h_(k-2) + uvw h_(k-3).
    """
    m = (a + b + c) / 3
    u, v, w = a - m, b - m, c - m
    second, third = u * v + u * w + v * w, u * v * w
    h = [jnp.ones_like(m), jnp.zeros_like(m), -second]
    for k in range(3, TRIPLE_TERMS):
        h.append(third * h[k - 3] - second * h[k - 2])
    return jnp.exp(m) * sum(x / factorial(k + 2) for k, x in enumerate(h))
