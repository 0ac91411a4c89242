"""Intervals for a share: exact for counts of independent trials, by the ratio estimator for counts that cluster."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log, sqrt

from harness.core.frozen import dataclass
from harness.studies.chance.beta import beta_quantile, student_quantile

LEVEL = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Between which shares (0 to 1) the true one lies, with a confidence of 95 % unless another one is named."""

    low: float
    high: float

    def __or__(self, other: Interval) -> Interval:
        """The narrowest interval that holds both."""
        return Interval(low=min(self.low, other.low), high=max(self.high, other.high))


def exact_interval(seen: int, trials: int, *, level: float = LEVEL) -> Interval:
    """The interval of Clopper and Pearson for ``seen`` of ``trials`` independent trials.

    Raises:
        ValueError: more was seen than tried.
    """
    if not 0 <= seen <= trials:
        raise ValueError(f"{seen} of {trials} is no share")
    tail = (1 - level) / 2
    low = beta_quantile(tail, seen, trials - seen + 1) if seen else 0.0
    high = beta_quantile(1 - tail, seen + 1, trials - seen) if seen < trials else 1.0
    return Interval(low=low, high=high)


def clustered_interval(clusters: Sequence[tuple[int, int]], *, level: float = LEVEL) -> Interval | None:
    """The interval for the share of all trials, where those of one cluster resemble each other.

    ``clusters``: (seen, trials) of each. It is the ratio estimator, whose variance comes from how the clusters differ,
    with Student's t on the scale of log odds, so that it stays between 0 and 1. None where that can't be said: fewer
    than two clusters, nothing or everything seen, or no difference between the clusters at all.
    """
    rows = [(seen, trials) for seen, trials in clusters if trials]
    seen, trials = sum(row[0] for row in rows), sum(row[1] for row in rows)
    if len(rows) <= 1 or not 0 < seen < trials:
        return None
    share, mean = seen / trials, trials / len(rows)
    spread = sum((hit - share * size) ** 2 for hit, size in rows) / (len(rows) * (len(rows) - 1))
    width = student_quantile((1 + level) / 2, len(rows) - 1) * sqrt(spread) / mean / (share * (1 - share))
    if width == 0:
        return None
    middle = log(share / (1 - share))
    return Interval(low=_from_odds(middle - width), high=_from_odds(middle + width))


def _from_odds(log_odds: float) -> float:
    if log_odds >= 0:
        return 1 / (1 + exp(-log_odds))
    return exp(log_odds) / (1 + exp(log_odds)) if log_odds > -700 else 0.0  # noqa: PLR2004 - below it, exp is 0
