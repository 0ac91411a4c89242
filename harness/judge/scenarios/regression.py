"""Straight lines through samples, with honest confidence intervals: ordinary least squares, residuals correlated.

Successive samples of one process are not independent; taken as such they make any drift look significant. The number
of samples is therefore reduced by the lag-1 autocorrelation of the residuals, as is usual for trends in time series
(Santer et al., J. Geophys. Res. 105 (2000) 7337, the "adjusted standard error and degrees of freedom").
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import NormalDist, fmean

from harness.core.frozen import dataclass

CONFIDENCE = 0.95
LEAST_POINTS = 6
"""Fewer say nothing: with five points the interval is wider than what it is about."""

LEAST_FREEDOM = 2.0
"""Degrees of freedom that are left however much the residuals hang together: what isn't quite straight (a slow curve)
has residuals of one piece, and yet a slope. The interval is then some ten times as wide as without the correction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """y = intercept + slope x; ``low`` and ``high`` are the ends of the slope's 95 % confidence interval."""

    slope: float
    intercept: float
    low: float
    high: float

    def at(self, x: float) -> float:
        """The line's y."""
        return self.intercept + self.slope * x


def fit_line(points: Sequence[tuple[float, float]]) -> Line | None:
    """The least-squares line through (x, y); None with too few points, or all of one x. O(points)."""
    if len(points) < LEAST_POINTS:
        return None
    mean_x, mean_y = fmean(x for x, _ in points), fmean(y for _, y in points)
    spread = math.fsum((x - mean_x) ** 2 for x, _ in points)
    if spread == 0:
        return None
    slope = math.fsum((x - mean_x) * (y - mean_y) for x, y in points) / spread
    intercept = mean_y - slope * mean_x
    residuals = [y - intercept - slope * x for x, y in points]
    half = _half_width(residuals, spread)
    return Line(slope=slope, intercept=intercept, low=slope - half, high=slope + half)


def _half_width(residuals: Sequence[float], spread: float) -> float:
    squares = math.fsum(residual**2 for residual in residuals)
    if squares == 0:
        return 0.0
    correlation = math.fsum(a * b for a, b in pairwise(residuals)) / squares
    correlation = max(0.0, correlation)  # alternating residuals must not make the interval narrower
    freedom = max(LEAST_FREEDOM, len(residuals) * (1 - correlation) / (1 + correlation) - 2)
    return student_t(freedom) * math.sqrt(squares / freedom / spread)


def student_t(freedom: float) -> float:
    """The two-sided 95 % quantile of Student's t; within 2 % of the tables from 2 degrees of freedom on.

    Source: the expansion 26.7.5 in Abramowitz and Stegun, Handbook of Mathematical Functions.
    """
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + math.fsum(term / freedom**power for power, term in enumerate(terms, start=1))
