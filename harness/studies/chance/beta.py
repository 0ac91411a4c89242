"""The beta distribution: its distribution function, its quantiles, and those of Student's t that follow from them."""

from __future__ import annotations

from math import exp, inf, isclose, lgamma, log, log1p, sqrt

_TINY = 1e-300
_PRECISION = 1e-15
_MOST_TERMS = 10_000
_HALVINGS = 200


def log_beta(a: float, b: float) -> float:
    """The logarithm of the beta function."""
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def beta_cdf(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function: how likely a Beta(a, b) variable is at most ``x``.

    Raises:
        ValueError: ``a`` or ``b`` is not positive.
    """
    if a <= 0 or b <= 0:
        raise ValueError(f"Beta({a}, {b}) does not exist: both must be positive")
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    front = exp(a * log(x) + b * log1p(-x) - log_beta(a, b))
    # The fraction converges quickly on this side of the mean only.
    if x < (a + 1) / (a + b + 2):
        return front * _continued_fraction(x, a, b) / a
    return 1.0 - front * _continued_fraction(1 - x, b, a) / b


def beta_quantile(share: float, a: float, b: float) -> float:
    """The value that a Beta(a, b) variable does not exceed with the probability ``share``."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if beta_cdf(middle, a, b) < share:
            low = middle
        else:
            high = middle
        if isclose(low, high, rel_tol=1e-13, abs_tol=0.0):
            break
    return (low + high) / 2


def student_quantile(share: float, degrees: int) -> float:
    """The quantile of Student's t, for a ``share`` of a half or more."""
    beyond = beta_quantile(1 - 2 * (1 - share), 0.5, degrees / 2)
    return sqrt(degrees * beyond / (1 - beyond)) if beyond < 1 else inf


def _continued_fraction(x: float, a: float, b: float) -> float:
    """The continued fraction of the incomplete beta function, by the method of Lentz (DLMF 8.17.22)."""
    c, d = 1.0, 1.0 / _off_zero(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _MOST_TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for factor in (even, odd):
            d = 1.0 / _off_zero(1 + factor * d)
            c = _off_zero(1 + factor / c)
            value *= c * d
        if abs(c * d - 1) < _PRECISION:
            break
    return value


def _off_zero(number: float) -> float:
    return number if abs(number) > _TINY else _TINY
