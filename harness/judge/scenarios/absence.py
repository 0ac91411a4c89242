"""How many workers were away at once, and when: from the lives of a run whose workers say when they are ready.

A worker is away from when it stops accepting (it logs that it restarts after the request in hand, or ends without a
word) until another one has loaded the app in its place. A worker that is busy is not away. Pure, and without a
judgement: what is too many is the judge's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.core.frozen import dataclass
from harness.core.observations import Observations, WorkerLife
from harness.judge.timeline import since_load_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """From ``at_s`` (since the load began) on, ``away`` workers are away."""

    at_s: float
    away: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """Absence while the load ran: every change of the number away; the first step is at the load's begin."""

    workers: int
    steps: tuple[Step, ...]
    end_s: float

    @property
    def worst(self) -> Step:
        """The most that were away at once, and when that began first."""
        return max(self.steps, key=lambda step: (step.away, -step.at_s))

    @property
    def worst_again(self) -> int | None:
        """The most that were away once three quarters of the first wave had come back; None where they never did."""
        worst = self.worst
        back_s = next((s.at_s for s in self.steps if s.at_s > worst.at_s and s.away <= worst.away / 4), None)
        return None if back_s is None else max(step.away for step in self.steps if step.at_s >= back_s)

    @property
    def mean(self) -> float:
        """The workers away on average over the time of the load."""
        ends = [step.at_s for step in self.steps[1:]] + [self.end_s]
        total = sum(step.away * (end - step.at_s) for step, end in zip(self.steps, ends, strict=True))
        span_s = self.end_s - self.steps[0].at_s
        return total / span_s if span_s > 0 else float(self.steps[0].away)

    def seconds_above(self, most: float) -> float:
        """For how long more than ``most`` workers were away."""
        ends = [step.at_s for step in self.steps[1:]] + [self.end_s]
        return sum(end - step.at_s for step, end in zip(self.steps, ends, strict=True) if step.away > most)


def find_absence(observations: Observations) -> Absence | None:
    """Absence over the time of the load; None where no worker ever said that it is ready, or there was no load."""
    begin_ns = observations.phases.get("load")
    end_ns = observations.phases.get("settle", observations.phases.get("closed"))
    spans = list(_present_spans(observations.lives))
    if begin_ns is None or end_ns is None or not spans:
        return None
    moments = sorted({begin_ns, *(ns for span in spans for ns in span if ns is not None and begin_ns < ns < end_ns)})
    changes = sorted((ns, by) for since, until in spans for ns, by in ((since, 1), (until, -1)) if ns is not None)
    steps: list[Step] = []
    present = done = 0
    for moment in moments:
        while done < len(changes) and changes[done][0] <= moment:
            present += changes[done][1]
            done += 1
        away = max(0, observations.cell.workers - present)
        if not steps or steps[-1].away != away:
            steps.append(Step(at_s=since_load_s(observations, moment), away=away))
    return Absence(workers=observations.cell.workers, steps=tuple(steps), end_s=since_load_s(observations, end_ns))


def _present_spans(lives: Sequence[WorkerLife]) -> Iterator[tuple[int, int | None]]:
    """(ready, stopped accepting) of each worker that came so far; None where it accepted to the end."""
    for life in lives:
        if life.ready_ns is not None:
            yield life.ready_ns, stopped_ns(life)


def stopped_ns(life: WorkerLife) -> int | None:
    """When a worker stopped accepting: the first that was seen of its end; None while it lives."""
    signs = [ns for ns in (life.restart_ns, life.crash_ns, life.ended_ns) if ns is not None]
    return min(signs, default=None)


def measure_boots_s(lives: Sequence[WorkerLife]) -> list[float]:
    """How long each worker took from its start until its app was loaded, in seconds, shortest first."""
    return sorted((life.ready_ns - life.booted_ns) / 1e9 for life in lives if life.ready_ns and life.booted_ns)


def measure_exits_s(lives: Sequence[WorkerLife]) -> list[float]:
    """How long each worker took from when it announced its restart until it had ended, in seconds, shortest first.

    Its last request is part of it.
    """
    return sorted((life.ended_ns - life.restart_ns) / 1e9 for life in lives if life.ended_ns and life.restart_ns)


def measure_paces(observations: Observations) -> list[float]:
    """The requests a second that each worker served whose whole life lies within the load, slowest first.

    They tell how evenly the workers were driven.
    """
    load_ns = observations.phases.get("load", 0)
    lives = (life for life in observations.lives if life.announced_restart and life.ready_ns and life.restart_ns)
    return sorted(
        life.served / ((life.restart_ns - max(life.ready_ns, load_ns)) / 1e9)
        for life in lives
        if life.ready_ns and life.restart_ns and life.restart_ns > max(life.ready_ns, load_ns)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Delays:
    """What the probes through one way met while the load ran; ``took_s`` of the answered ones, quickest first."""

    asked: int
    failed: int
    took_s: tuple[float, ...]

    def count_above(self, slow_s: float) -> int:
        """The answers that took longer."""
        return sum(took_s > slow_s for took_s in self.took_s)


def find_delays(observations: Observations) -> Delays:
    """Through the proxy where there is one, as the clients go; else straight to gunicorn."""
    begin_ns, end_ns = observations.phases.get("load", 0), observations.phases.get("settle")
    during = [p for p in observations.probes if begin_ns <= p.at_ns and (end_ns is None or p.at_ns < end_ns)]
    way = "proxy" if any(probe.via == "proxy" for probe in during) else "direct"
    probes = [probe for probe in during if probe.via == way]
    failed = sum(probe.failed for probe in probes)
    took_s = sorted(probe.took_ns / 1e9 for probe in probes if not probe.failed)
    return Delays(asked=len(probes), failed=failed, took_s=tuple(took_s))
