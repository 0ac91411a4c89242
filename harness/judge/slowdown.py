"""Whether answers take longer after workers have restarted than before: a note, because no promise speaks of time.

Under load an answer waits for others, and how long depends on everything; so what is compared is the control phase,
one request after the other before any restart, with the probes of the settle phase, when the load is off and all
workers have restarted. The load's own times must agree: an answer that did not wait is as slow as the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from harness.core.events.clients import Probe
from harness.core.frozen import dataclass
from harness.core.model import Json
from harness.core.observations import Observations
from harness.judge.invariants.max_requests_honoured import is_recycle
from harness.judge.invariants.requests_answered import BUSY_SHARE
from harness.judge.outage import settle_probes

LEAST_CONTROLS = 20
LEAST_PROBES = 3
"""On each way; by chance alone so few are all slower than nine tenths of the controls once in a thousand times."""

SLOWER = 1.5
"""So many times as long must the fastest probe take as the middle one of the controls."""

SLOWER_WHERE_BUSY = 4.0
"""The same where others use the machine, who may have come meanwhile."""

LEAST_NS = 5_000_000
"""A difference that a sleep or a search makes, and no cold cache."""

FAST_SHARE = 0.05
"""So few of the load's later answers may have been twice as fast as the fastest probe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slowdown:
    """Middle control, fastest probe, and middle answers of the load in its first and last third, in milliseconds."""

    before_ms: float
    after_ms: float
    recycles: int
    load_before_ms: float | None
    load_after_ms: float | None

    def describe(self) -> str:
        """In one sentence."""
        return (
            f"answers take longer after restarts: {self.after_ms:.1f} ms at the least once {self.recycles} workers had "
            f"restarted, {self.before_ms:.1f} ms before ({self.after_ms / self.before_ms:.1f} times as long)"
        )

    def to_json(self) -> dict[str, Json]:
        """As evidence."""
        return {
            "before_ms": self.before_ms,
            "after_ms": self.after_ms,
            "times": round(self.after_ms / self.before_ms, 2),
            "load_before_ms": self.load_before_ms,
            "load_after_ms": self.load_after_ms,
        }


def find_slowdown(observations: Observations) -> Slowdown | None:
    """The slowdown, None where there is none beyond chance, or it can't be known."""
    controls = sorted(observations.control_took_ns)
    probes = [[p for p in settle_probes(observations, way) if p.ok] for way in _ways(observations)]
    recycles = sum(is_recycle(observations.cell, life) for life in observations.lives)
    if len(controls) < LEAST_CONTROLS or recycles < observations.cell.workers or observations.stalls:
        return None
    busy = (observations.foreign_share or 0.0) > BUSY_SHARE
    if any((_count_waits(way) if busy else len(way)) < LEAST_PROBES for way in probes):
        return None
    from statistics import median, quantiles  # which take 8 ms to import, and few runs come so far

    usual_ns, slow_ns = median(controls), quantiles(controls, n=10)[-1]
    fastest_ns = min(probe.took_ns for way in probes for probe in way)
    least_ns = max(usual_ns * (SLOWER_WHERE_BUSY if busy else SLOWER), usual_ns + LEAST_NS, slow_ns)
    if fastest_ns < least_ns or not _agrees(observations, fastest_ns):
        return None
    early, late = _split_load(observations)
    return Slowdown(
        before_ms=round(usual_ns / 1e6, 2),
        after_ms=round(fastest_ns / 1e6, 2),
        recycles=recycles,
        load_before_ms=_median_ms(early),
        load_after_ms=_median_ms(late),
    )


def _count_waits(probes: Sequence[Probe]) -> int:
    """How many of the probes waited for something of their own.

    Probes that began far apart and ended close together waited for one thing: for the machine, or for a worker that was
    away for a moment.
    """
    counted, last = 0, None
    for probe in probes:
        ended_ns = probe.at_ns + probe.took_ns
        if last is None or ended_ns - last[1] >= (probe.at_ns - last[0]) / 2:
            counted, last = counted + 1, (probe.at_ns, ended_ns)
    return counted


def _ways(observations: Observations) -> list[str]:
    return ["direct"] if observations.cell.proxy == "none" else ["direct", "proxy"]


def _split_load(observations: Observations) -> tuple[Counter[int], Counter[int]]:
    """The load's times in its first and in its last third: power of two in us -> answers."""
    rows = observations.answer_times
    third = len(rows) // 3
    return _sum_up(observations, 0, third), _sum_up(observations, len(rows) - third, len(rows))


def _sum_up(observations: Observations, begin: int, end: int) -> Counter[int]:
    total = Counter[int]()
    for row in observations.answer_times[begin:end]:
        total.update({int(power): count for power, count in row.took.items()})
    return total


def _agrees(observations: Observations, fastest_ns: int) -> bool:
    """Whether next to none of the load's later answers was fast."""
    _, late = _split_load(observations)
    fast = sum(count for power, count in late.items() if 2 ** (power + 1) * 1000 <= fastest_ns / 2)
    return late.total() > 0 and fast <= FAST_SHARE * late.total()


def _median_ms(counts: Counter[int]) -> float | None:
    """The middle of the bin of the middle answer."""
    seen = 0
    for power in sorted(counts):
        seen += counts[power]
        if 2 * seen >= counts.total():
            return round(2.0**power * 1.5 / 1000, 2)
    return None
