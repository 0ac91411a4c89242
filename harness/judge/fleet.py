"""How many workers there were, and whether the arbiter was still at work on it. Pure arithmetic over samples."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from harness.core.frozen import dataclass
from harness.core.observations import FleetSample, Observations
from harness.judge.windows import allows_end, end_of

SURPLUS_NS = 2_000_000_000
"""A handover is over when the arbiter has taken note of the old worker's end, which it does once a second at least.

13 runs of unmodified releases (19.6.0 to 27.0.1; sync, thread, gevent and ASGI workers; 2, 5 and 200 of them) with 359
lives had no moment with one too many.
"""

STUCK_NS = 3_000_000_000
"""An arbiter that lacks workers starts all of them at once, at least once a second. One that has come no further for
three times as long does not try."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surplus:
    """From ``since_ns`` on, for ``took_ns``, there were more workers than configured: up to ``most``."""

    since_ns: int
    took_ns: int
    most: int


def find_surplus(observations: Observations) -> Surplus | None:
    """The longest time in which there were too many workers; None where no handover explains none of it."""
    found = max(_list_surpluses(observations), key=lambda one: one.took_ns, default=None)
    return None if found is None or found.took_ns <= SURPLUS_NS else found


def _list_surpluses(observations: Observations) -> Iterator[Surplus]:
    wanted, samples = observations.cell.workers, list(_list_samples(observations))
    open_since: FleetSample | None = None
    most = 0
    for sample in samples:
        if sample.workers > wanted:
            open_since, most = open_since or sample, max(most, sample.workers)
        elif open_since is not None:
            yield Surplus(since_ns=open_since.at_ns, took_ns=sample.at_ns - open_since.at_ns, most=most)
            open_since, most = None, 0
    if open_since is not None:
        took_ns = samples[-1].at_ns - open_since.at_ns  # the watch ends with a last sample
        yield Surplus(since_ns=open_since.at_ns, took_ns=took_ns, most=most)


def _list_samples(observations: Observations) -> Iterator[FleetSample]:
    """The samples, with no more workers than configured while a disturbance adds some, or has two fleets at a time.

    What there is at the end of its window is a sample of its own: nothing may change afterwards.
    """
    wanted, samples = observations.cell.workers, observations.samples
    ends = [int(end_ns) for one in observations.disturbances if (end_ns := end_of(one)) < math.inf]
    extra = [
        replace(before[-1], at_ns=end_ns)
        for end_ns in ends
        if (before := [sample for sample in samples if sample.at_ns < end_ns]) and end_ns < samples[-1].at_ns
    ]
    for sample in sorted([*samples, *extra], key=lambda one: one.at_ns):
        inside = allows_end(observations, sample.at_ns) and sample.at_ns not in ends
        yield replace(sample, workers=min(sample.workers, wanted)) if inside else sample


def has_given_up(observations: Observations) -> bool:
    """Whether the arbiter, in the settle phase, has come no further for long: too few children, and no more to come.

    Workers may restart meanwhile, each replaced by one. Where the machine stood still, or the arbiter still comes
    further, it is not known.
    """
    settle_ns, closed_ns = observations.phases.get("settle"), observations.phases.get("closed")
    if settle_ns is None or closed_ns is None or not observations.samples:
        return False
    before = [sample for sample in observations.samples if sample.at_ns < settle_ns][-1:]
    since = [*before, *(sample for sample in observations.samples if sample.at_ns >= settle_ns)]
    best = max(since, key=lambda sample: sample.children)  # the first of those with most
    stalled = any(stall.at_ns + stall.gap_ns > settle_ns for stall in observations.stalls)
    few = best.children < observations.cell.workers
    return few and not stalled and closed_ns - max(best.at_ns, settle_ns) >= STUCK_NS
