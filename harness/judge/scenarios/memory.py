"""Memory over requests: joins the samples of the processes' memory with what they had served by then, and finds growth.

Growth is judged over requests, not over time: a leak is so many bytes a request, however fast the machine is.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from math import ceil
from statistics import fmean, median

from harness.core.events.servers import MemorySample, Served
from harness.core.frozen import dataclass
from harness.core.model import State
from harness.core.observations import Observations
from harness.judge.scenarios.record import Arm
from harness.judge.scenarios.regression import Line, fit_line

WARM_UP = 0.2
"""The part of all requests that is left out at the start: imports, caches and the allocator's arenas fill up then."""

SUSTAINED = 0.5
"""What grows for ever grows in the second half at least so fast as in the first, times this; what fills up doesn't."""

PIECES = 6
SPREAD = 0.25
"""What grows for ever grows between any two neighbouring sixths of the run by at least this part of what it grows on
average; what is loaded once makes a step."""

NOISE_BYTES = 1 << 20
NOISE_SHARE = 0.02
"""Less than this (the larger of both) is no growth: allocators take memory in pieces of up to 1 MiB."""

TALLY_NS = 100_000_000
"""The access log is read every 50 ms: lines that are read at one time were written within about twice that before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The memory of all processes at one moment, and the requests that all had served by then.

    Sizes are bytes of PSS without the pages of files, ``file_bytes`` apart.
    """

    at_ns: int
    requests: float
    arbiter_bytes: int
    others_bytes: Mapping[int, int]  # by pid: workers, and what they or the arbiter have started besides
    unshared_bytes: int  # what all would have if nothing that they may write were shared
    file_bytes: int  # depends on who else on the machine uses the same files

    @property
    def total_bytes(self) -> int:
        """Of the whole service; pages that processes share count once."""
        return self.arbiter_bytes + sum(self.others_bytes.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """How memory grows with the requests: VIOLATED grows on and on, HOLDS does not, UNKNOWN can't be told."""

    state: State
    reason: str
    line: Line | None = None  # bytes over requests, without the warm-up
    most_per_request: float | None = None  # the most that it may still grow, with 95 % confidence


def read_samples(arm: Arm, observations: Observations) -> tuple[Sample, ...]:
    """The samples of the load phase, oldest first."""
    phases = observations.phases
    from_ns, to_ns = phases.get("load"), phases.get("settle", phases.get("closed"))
    if from_ns is None or to_ns is None or observations.arbiter_pid is None:
        return ()
    ordered = sorted(arm.events, key=lambda event: event.at_ns)
    served = _ServedByThen([event for event in ordered if isinstance(event, Served)])
    chosen = [event for event in ordered if isinstance(event, MemorySample) and from_ns <= event.at_ns <= to_ns]
    return tuple(_sample(event, served, observations.arbiter_pid) for event in chosen)


class _ServedByThen:
    """How many requests all workers had served at any moment: a line through the tallies."""

    def __init__(self, events: Sequence[Served]) -> None:
        counts = [sum(sum(by_status.values()) for by_status in event.by_pid.values()) for event in events]
        self._at_ns = [event.at_ns for event in events]
        self._until = list(accumulate(counts))

    def by(self, at_ns: int) -> float:
        after = bisect_right(self._at_ns, at_ns)
        before = float(self._until[after - 1]) if after else 0.0
        if after == len(self._at_ns):
            return before
        begin_ns = max(self._at_ns[after - 1] if after else 0, self._at_ns[after] - TALLY_NS)
        part = (at_ns - begin_ns) / max(self._at_ns[after] - begin_ns, 1)
        return before + max(0.0, part) * (self._until[after] - before)


def _sample(event: MemorySample, served: _ServedByThen, arbiter_pid: int) -> Sample:
    own = dict(event.own_bytes)
    arbiter_bytes = own.pop(arbiter_pid, 0)
    return Sample(
        at_ns=event.at_ns,
        requests=served.by(event.at_ns),
        arbiter_bytes=arbiter_bytes,
        others_bytes=own,
        unshared_bytes=event.unshared_bytes,
        file_bytes=event.file_bytes,
    )


def noise_bytes(samples: Sequence[Sample]) -> float:
    """What has to be exceeded before anything is called growth."""
    return max(NOISE_BYTES, NOISE_SHARE * median(sample.total_bytes for sample in samples))


def find_growth(samples: Sequence[Sample]) -> Growth:
    """Whether memory grows on and on where nothing restarts.

    It does where the fitted growth is larger than the noise even at the low end of its confidence interval, and goes
    on in the second half. It comes to rest where the second half can't have grown by more than the noise, and shows no
    steady growth below it either: that may be a slow leak, which takes more requests to tell.
    """
    points = [(sample.requests, float(sample.total_bytes)) for sample in samples]
    parts = _parts(points)
    whole, early, late = (fit_line(part) for part in parts)
    if whole is None or early is None or late is None:
        return Growth(state=State.UNKNOWN, reason=f"{len(points)} samples of the memory are too few")
    noise, spans = noise_bytes(samples), [part[-1][0] - part[0][0] for part in parts]
    sustained = late.low > 0 and late.slope >= SUSTAINED * early.slope and _is_spread(parts[0])
    if sustained and whole.low * spans[0] >= noise:
        reason = f"it grows by {tell_slope(whole)} and does not come to rest"
        return Growth(state=State.VIOLATED, reason=reason, line=whole)
    if late.high * spans[2] <= noise and not sustained:
        most = float(max(ceil(late.high), 1))
        reason = f"it comes to rest: with 95 % confidence it grows by less than {most:,.0f} bytes a request"
        return Growth(state=State.HOLDS, reason=reason, line=whole, most_per_request=most)
    more = "raise --duration and add --full-duration"
    reason = f"it can't be told whether it comes to rest, it grows by {tell_slope(late)} in the second half: {more}"
    return Growth(state=State.UNKNOWN, reason=reason, line=whole)


def _is_spread(points: Sequence[tuple[float, float]]) -> bool:
    """Whether the growth belongs to the whole run and not to a part of it."""
    first, last = points[0][0], points[-1][0]
    pieces: list[list[float]] = [[] for _ in range(PIECES)]
    for x, y in points:
        pieces[min(int(PIECES * (x - first) / (last - first)), PIECES - 1)].append(y)
    if not all(pieces):
        return False
    levels = [median(piece) for piece in pieces]
    mean = (levels[-1] - levels[0]) / (PIECES - 1)
    return mean > 0 and all(after - before >= SPREAD * mean for before, after in pairwise(levels))


def _parts(points: Sequence[tuple[float, float]]) -> tuple[Sequence[tuple[float, float]], ...]:
    """After the warm-up: all, the first half and the second half, by requests."""
    if not points:
        return ((), (), ())
    first, last = points[0][0], points[-1][0]
    warm = first + WARM_UP * (last - first)
    middle = (warm + last) / 2
    after = [point for point in points if point[0] >= warm]
    return after, [point for point in after if point[0] < middle], [point for point in after if point[0] >= middle]


def fit_cycles(samples: Sequence[Sample], cycle_requests: float) -> Line | None:
    """The growth from cycle to cycle, a cycle being the requests in which each worker restarts once.

    Within a cycle memory goes up and comes down; the means of whole cycles show what is left. The first one is the
    warm-up, the last one is not whole: both are left out. None with too few of them.
    """
    cycles: defaultdict[int, list[Sample]] = defaultdict(list)
    first = samples[0].requests if samples else 0.0
    for sample in samples:
        cycles[int((sample.requests - first) // cycle_requests)].append(sample)
    whole = [cycles[number] for number in sorted(cycles)][1:-1]
    return fit_line([(fmean(one.requests for one in part), fmean(one.total_bytes for one in part)) for part in whole])


def tell_slope(line: Line) -> str:
    """``8,214 bytes a request (8,190 to 8,239 with 95 % confidence)``."""
    return f"{line.slope:,.0f} bytes a request ({line.low:,.0f} to {line.high:,.0f} with 95 % confidence)"


def group_by_process(samples: Sequence[Sample], arbiter_pid: int) -> Mapping[int, list[tuple[int, int]]]:
    """The series by pid: (at_ns, size in bytes), oldest first; the arbiter comes first."""
    series: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    series[arbiter_pid] = [(sample.at_ns, sample.arbiter_bytes) for sample in samples]
    for sample in samples:
        for pid, size_bytes in sample.others_bytes.items():
            series[pid].append((sample.at_ns, size_bytes))
    return series
