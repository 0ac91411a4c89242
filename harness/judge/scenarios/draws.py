"""Whether the limits that workers drew are what max_requests_jitter promises: in its range, and uniform.

Tested is the limit that each worker says at its boot, for every worker that booted, and not the requests served by
those that ended: a run ends while workers live, rather those with a high limit, so the ended ones are a sample of the
shorter lives. That an ended worker served as many as it drew is compared life by life, which needs no such care.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.core.frozen import dataclass
from harness.core.observations import WorkerLife

LEAST_PER_BIN = 5
"""The expected number below which the chi-square distribution is a poor approximation (Cochran's rule)."""

LEAST_BINS = 3

SIGNIFICANT_P = 0.001
"""Below it a draw counts as not uniform: one honest run in a thousand would be accused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    """The limits that were drawn; ``p`` of the chi-square test for uniformity, None where there is nothing to test."""

    drawn: tuple[int, ...]
    least: int
    most: int
    bins: int
    p: float | None
    exact: int  # ended lives that served exactly what they drew
    ended: int
    most_over: int  # the most requests that one served beyond what it drew; below 0 where all served fewer
    fewest_served: int | None  # of the ended lives
    most_served: int | None

    @property
    def outside(self) -> tuple[int, ...]:
        """The limits that should not have been drawn."""
        return tuple(limit for limit in self.drawn if not self.least <= limit <= self.most)


def examine_draws(lives: Sequence[WorkerLife], *, max_requests: int, jitter: int) -> Draws:
    """What the workers of a run drew and served.

    ``ended``: those that announced their restart and whose limit is known.
    """
    drawn = tuple(life.limit for life in lives if life.limit is not None)
    ended = [life for life in lives if life.announced_restart and life.ended_ns is not None and life.limit is not None]
    served = [life.served for life in ended]
    bins = count_bins(len(drawn), jitter + 1)
    inside = [limit - max_requests for limit in drawn if 0 <= limit - max_requests <= jitter]
    return Draws(
        drawn=drawn,
        least=max_requests,
        most=max_requests + jitter,
        bins=bins,
        p=chi_square_p(inside, values=jitter + 1, bins=bins) if bins else None,
        exact=sum(life.served == life.limit for life in ended),
        ended=len(ended),
        most_over=max((life.served - (life.limit or 0) for life in ended), default=0),
        fewest_served=min(served, default=None),
        most_served=max(served, default=None),
    )


def count_bins(size: int, values: int) -> int:
    """How many bins a sample of this size allows; 0 where that is too few for a test."""
    bins = min(values, size // LEAST_PER_BIN)
    return bins if bins >= min(values, LEAST_BINS) and values > 1 else 0


def chi_square_p(drawn: Sequence[int], *, values: int, bins: int) -> float:
    """The p-value of Pearson's test that ``drawn`` (0 to values - 1) are uniform, in bins as even as can be."""
    seen, widths = [0] * bins, [0] * bins
    for value in range(values):
        widths[value * bins // values] += 1
    for value in drawn:
        seen[value * bins // values] += 1
    expected = [len(drawn) * width / values for width in widths]
    statistic = math.fsum((count - mean) ** 2 / mean for count, mean in zip(seen, expected, strict=True))
    return chi_square_tail(statistic, freedom=bins - 1)


def chi_square_tail(statistic: float, *, freedom: int) -> float:
    """The chance of a larger chi-square; exact, because the degrees of freedom are whole.

    Source: the finite sums 26.4.4 and 26.4.5 in Abramowitz and Stegun, Handbook of Mathematical Functions.
    """
    half = statistic / 2
    tail = math.erfc(math.sqrt(half)) if freedom % 2 else 0.0
    powers = (freedom % 2 / 2 + step for step in range(freedom // 2))
    return tail + math.fsum(
        math.exp(power * math.log(half) - half - math.lgamma(power + 1)) if half else float(power == 0)
        for power in powers
    )
