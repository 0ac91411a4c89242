"""How many probes waited for an answer at one time. Pure.

Each life of a worker asks for its own span, and a long run has as many lives as probes: what they have in common is
made once.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from harness.core.events.clients import Probe
from harness.core.frozen import dataclass
from harness.judge.event_table import EventTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """When probes began and when they were over, each sorted; one that timed out may wait for ever."""

    begun_ns: Sequence[int]
    over_ns: Sequence[int]
    timeouts_ns: Sequence[int]  # when those began that timed out

    def count_most(self, since_ns: int | None, until_ns: int | None) -> int:
        """The most that waited at one time within a span; one that ends as another begins waits with it."""
        first_ns = since_ns or 0
        if until_ns is not None and until_ns < first_ns:
            return 0
        begin = bisect_right(self.begun_ns, first_ns)
        end = len(self.begun_ns) if until_ns is None else bisect_right(self.begun_ns, until_ns)
        moments = (first_ns, *self.begun_ns[begin:end])
        return max(bisect_right(self.begun_ns, at_ns) - bisect_left(self.over_ns, at_ns) for at_ns in moments)


def list_waits(probes: Sequence[Probe]) -> Waits:
    """The waits of all probes; of a table they are found once."""
    if not isinstance(probes, EventTable):
        return _list(probes)
    if probes.derived is None:
        probes.derived = _list(probes)
    found: Waits = probes.derived
    return found


def _list(probes: Sequence[Probe]) -> Waits:
    ended = [(probe.at_ns, probe.at_ns + probe.took_ns) for probe in probes if probe.outcome != "timeout"]
    timeouts_ns = sorted(probe.at_ns for probe in probes if probe.outcome == "timeout")
    spans = [(begun_ns, over_ns) for begun_ns, over_ns in ended if begun_ns <= over_ns]
    return Waits(
        begun_ns=sorted([*(begun_ns for begun_ns, _ in spans), *timeouts_ns]),
        over_ns=sorted(over_ns for _, over_ns in spans),
        timeouts_ns=timeouts_ns,
    )
