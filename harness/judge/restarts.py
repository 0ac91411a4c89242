"""When workers restarted, what share of the load that covers, and whether failures fall into it more than by chance."""

from __future__ import annotations

from collections.abc import Iterator
from math import comb

from harness.core.observations import Observations
from harness.judge.windows import SAME_MOMENT_NS

BY_CHANCE = 0.05
"""Where so many or more of the bursts would come near a restart so often by chance alone, that says nothing."""


def restart_spans(observations: Observations, *, sooner_ns: int = 0) -> list[tuple[int, int]]:
    """From reaching the limit to the end of each worker that ended, give or take what the watchers may lag; merged.

    ``sooner_ns``: how much sooner each is to begin, for what is told by when it was begun. A harness that got no time
    for a moment has seen the end of a worker as much later.
    """
    lag_ns = SAME_MOMENT_NS
    spans = sorted(
        (
            begin_ns - sooner_ns - lag_ns - lost_ns(observations, begin_ns),
            end_ns + lag_ns + lost_ns(observations, end_ns),
        )
        for begin_ns, end_ns in _list_restarts(observations)
    )
    merged: list[tuple[int, int]] = []
    for begin_ns, end_ns in spans:
        if merged and begin_ns <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end_ns, merged[-1][1]))
        else:
            merged.append((begin_ns, end_ns))
    return merged


def _list_restarts(observations: Observations) -> Iterator[tuple[int, int]]:
    """From the line of the limit to the end; a line that was read only afterwards is no later begin."""
    for life in observations.lives:
        if life.ended_ns is not None:
            yield min(life.restart_ns or life.ended_ns, life.ended_ns), life.ended_ns


def lost_ns(observations: Observations, at_ns: int) -> int:
    """For how long the harness got no time around a moment, in nanoseconds."""
    near = (
        s for s in observations.short_stalls if s.at_ns - SAME_MOMENT_NS <= at_ns <= s.at_ns + s.gap_ns + SAME_MOMENT_NS
    )
    return max((stall.gap_ns for stall in near), default=0)


def is_near_restart(spans: list[tuple[int, int]], at_ns: int) -> bool:
    """Whether some worker was between reaching its limit and its end."""
    return any(begin_ns <= at_ns <= end_ns for begin_ns, end_ns in spans)


def restart_share(observations: Observations, spans: list[tuple[int, int]]) -> float | None:
    """The part of the load's time in which some worker restarted, 0 to 1; None where there was no load."""
    phases = observations.phases
    if "load" not in phases or "settle" not in phases:
        return None
    begin_ns, end_ns = phases["load"], phases["settle"]
    covered = sum(max(0, min(end, end_ns) - max(begin, begin_ns)) for begin, end in spans)
    return covered / max(end_ns - begin_ns, 1)


def chance_of(near: int, total: int, share: float) -> float:
    """How likely ``near`` or more of ``total`` moments fall into ``share`` of the time by chance alone (binomial)."""
    tail = sum(comb(total, k) * share**k * (1 - share) ** (total - k) for k in range(near, total + 1))
    return min(1.0, tail)
