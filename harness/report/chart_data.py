"""The numbers of the timeline: what was observed, as small tables of rows that a chart can draw as they are.

Pure arithmetic over observations. However long the run and however many its requests, the tables stay small: answers
are added up in bins, probes are thinned, and workers share lanes and then bars, once there are too many of them. No
colour, no layout.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice

from harness.core.disturbed import Disturbed
from harness.core.events.clients import Answers, Probe
from harness.core.events.servers import SocketChange
from harness.core.frozen import dataclass
from harness.core.model import is_failure, is_success
from harness.core.observations import Observations
from harness.judge.outage import probe_failures
from harness.judge.timeline import since_load_s
from harness.judge.vanishing import find_removal, find_vanishing, since_bind
from harness.report.chart_lives import MOST_LANES, MOST_LIVES, Row, draw_lives, seconds

MOST_BINS = 500
"""Of time; more would be thinner than a pixel."""

MOST_PROBES = 1000
"""So many are drawn one by one; of more, only the slowest of its bin of time."""

_BIN_STEPS_MS = (10, 20, 50)

DONE, IN_VAIN = "disturbance", "disturbance, in vain"
"""Whether all followed that a disturbance waits for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """All that the timeline draws; times are seconds since the load began (``at``, ``from``, ``to``)."""

    from_s: float
    to_s: float
    focus_s: float | None  # the first failure, None where nothing failed
    gone_s: float | None  # when the socket file went away for the first time
    bin_s: float
    lanes: int
    workers_share: bool  # several workers to a lane
    workers_joined: bool  # some rows are of many workers
    phases: Mapping[str, float]
    disturbances: Sequence[Row]
    socket: Sequence[Row]
    workers: Sequence[Row]
    marks: Sequence[Row]
    answers: Sequence[Row]
    probes: Sequence[Row]


def tabulate(observations: Observations) -> Tables:
    """The tables of one run; O(events)."""
    from_s, to_s = _span(observations)
    focus_s = _first_failure_s(observations)
    workers = draw_lives(observations, to_s, focus_s)
    bin_s = find_bin_s(to_s - min(from_s, 0.0))
    vanishing = find_vanishing(observations)
    return Tables(
        from_s=from_s,
        to_s=to_s,
        focus_s=focus_s,
        gone_s=None if vanishing is None else seconds(observations, vanishing.at_ns),
        bin_s=bin_s,
        lanes=workers.lanes,
        workers_share=len(observations.lives) > MOST_LANES,
        workers_joined=len(observations.lives) > MOST_LIVES,
        phases={name: seconds(observations, at_ns) for name, at_ns in observations.phases.items()},
        disturbances=[_disturbance(observations, one, to_s) for one in observations.disturbances],
        socket=list(_socket(observations, to_s)),
        workers=workers.rows,
        marks=workers.marks,
        answers=list(_answers(observations, bin_s)),
        probes=_probes(observations, bin_s),
    )


def find_bin_s(span_s: float) -> float:
    """The smallest round width, from 10 ms on (the tally's own), that cuts the span into MOST_BINS or fewer."""
    scale = 1
    while True:
        for step_ms in _BIN_STEPS_MS:
            width_s = step_ms * scale / 1000
            if span_s <= width_s * MOST_BINS:
                return width_s
        scale *= 10


def _span(observations: Observations) -> tuple[float, float]:
    """From the start of the servers to the end of what is judged, however early the run ended."""
    phases = observations.phases
    ends = [phases[name] for name in ("closed", "ended") if name in phases] or list(phases.values())
    start_ns = phases.get("boot", min(phases.values(), default=0))
    probed_ns = (probe.at_ns + probe.took_ns for probe in observations.probes)
    answered_ns = (row.at_ns for row in observations.answers)
    end_ns = max(chain(ends[:1], probed_ns, answered_ns), default=start_ns)
    from_s, to_s = seconds(observations, start_ns), seconds(observations, end_ns)
    return from_s, max(to_s, from_s + 0.01)


def _first_failure_s(observations: Observations) -> float | None:
    failing = (row.at_ns for row in observations.answers if row.failures())
    vanishing = find_vanishing(observations)
    moments = list(islice(failing, 1)) + [probe.at_ns for probe in probe_failures(observations)]
    moments += [] if vanishing is None else [vanishing.at_ns]
    moments += [life.crash_ns for life in observations.lives if life.crash_ns is not None]
    return seconds(observations, min(moments)) if moments else None


# --- the disturbances ----------------------------------------------------------------------------------------


def _disturbance(observations: Observations, one: Disturbed, to_s: float) -> Row:
    """One that has no end lasts until nobody waited for it any longer, or to the end of what is judged."""
    last_ns = one.ended_ns if one.gave_up_ns is None else one.gave_up_ns
    from_s = seconds(observations, one.began_ns)
    end_s = max(to_s if last_ns is None else seconds(observations, last_ns), from_s)
    said = f"{one.label}, from {from_s:.3f} to {end_s:.3f} s"
    return {
        "from": from_s,
        "to": end_s,
        "name": one.name if one.of == 1 else f"{one.name} {one.number}/{one.of}",
        "label": one.label,
        "state": DONE if one.missing is None else IN_VAIN,
        "said": said if one.missing is None else f"{said}: {one.missing} did not come",
    }


# --- the socket file ------------------------------------------------------------------------------------------


def _socket(observations: Observations, to_s: float) -> Iterator[Row]:
    """The states of the path one after the other: present, gone, or another file."""
    changes = since_bind(observations)
    bound = changes[0].inode if changes else None
    states = [(change, _state(change, bound)) for change in changes]
    kept = [pair for at, pair in enumerate(states) if at == 0 or pair[1] != states[at - 1][1]]
    for at, (change, state) in enumerate(kept):
        end_s = seconds(observations, kept[at + 1][0].at_ns) if at + 1 < len(kept) else to_s
        row: Row = {"from": seconds(observations, change.at_ns), "to": end_s, "state": state}
        yield row | {"what": _told(observations, change, state)}


def _state(change: SocketChange, bound: int | None) -> str:
    if change.action in {"deleted", "moved"} or (change.action == "snapshot" and change.inode is None):
        return "gone"
    return "present" if change.inode in (None, bound) else "another file"


def _told(observations: Observations, change: SocketChange, state: str) -> str:
    if state != "gone":
        return state if state == "present" else f"{state} (inode {change.inode})"
    removal = find_removal(observations, change)
    if removal is None:
        return "gone; no call inside gunicorn was seen"
    return f"deleted by {removal.culprit.role} {removal.culprit.pid} with {removal.culprit.call}"


# --- what clients saw -----------------------------------------------------------------------------------------


def _answers(observations: Observations, bin_s: float) -> Iterator[Row]:
    """One row a bin and outcome, as a rate, stacked upon each other: successes apart from failures."""
    bins: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for row in observations.answers:
        bins[_bin(observations, row, bin_s)].update(row.outcomes)
    for at in sorted(bins):
        below = {True: 0.0, False: 0.0}
        for outcome in sorted(bins[at]):
            failed, count = is_failure(outcome), bins[at][outcome]
            rate = count / bin_s
            start_s = round(at * bin_s, 4)
            yield {
                "from": start_s,
                "to": round(start_s + bin_s, 4),
                "outcome": outcome,
                "failed": failed,
                "count": count,
                "low": round(below[failed], 1),
                "high": round(below[failed] + rate, 1),
            }
            below[failed] += rate


def _bin(observations: Observations, row: Answers, bin_s: float) -> int:
    return int(since_load_s(observations, row.at_ns) // bin_s)


def _probes(observations: Observations, bin_s: float) -> list[Row]:
    probes = observations.probes
    if len(probes) <= MOST_PROBES:
        return [_probe(observations, probe, 1) for probe in probes]
    slowest: dict[tuple[str, str, int], tuple[Probe, int]] = {}
    for probe in probes:
        key = (probe.via, probe.outcome, int(since_load_s(observations, probe.at_ns) // (2 * bin_s)))
        before, count = slowest.get(key, (probe, 0))
        slowest[key] = (max(before, probe, key=lambda one: one.took_ns), count + 1)
    return [_probe(observations, probe, count) for probe, count in slowest.values()]


def _probe(observations: Observations, probe: Probe, count: int) -> Row:
    return {
        "at": seconds(observations, probe.at_ns),
        "ms": max(round(probe.took_ns / 1e6, 2), 0.01),
        "outcome": probe.outcome,
        "series": probe.via if is_success(probe.outcome) else f"{probe.via}, failed",
        "count": count,
    }
