"""Who lived at each moment, in little memory: what changed from one sample to the next."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Iterator

from harness.core.observations import FleetSample


class FleetSamples:
    """Samples of all children of the arbiter, in the order in which they were taken."""

    def __init__(self) -> None:
        self._times: array[int] | list[int] = array("q")
        self._changes: array[int] | list[int] = array("q")  # twice the pid, and one more where it came
        self._ends = array("Q")

    def append(self, at_ns: int, *, came: Iterable[int], went: Iterable[int]) -> None:
        """One more sample: who is new in it, and who is no longer there."""
        changes = [*(2 * pid + 1 for pid in came), *(2 * pid for pid in went)]
        try:
            self._times.append(at_ns)
            self._changes.extend(changes)
        except OverflowError:  # a damaged record: no system has such numbers
            self._times = [*self._times[: len(self._ends)], at_ns]
            self._changes = [*self._changes[: self._ends[-1] if self._ends else 0], *changes]
        self._ends.append(len(self._changes))

    def replay(self, workers: Collection[int]) -> Iterator[FleetSample]:
        """Each sample again, now that it is known which of the children were workers."""
        live, begin = set[int](), 0
        known = 0
        for at_ns, end in zip(self._times, self._ends, strict=True):
            for change in self._changes[begin:end]:
                pid = change >> 1
                if change & 1:
                    live.add(pid)
                    known += pid in workers
                else:
                    live.discard(pid)
                    known -= pid in workers
            begin = end
            yield FleetSample(at_ns=at_ns, workers=known, children=len(live))
