"""The workers of the timeline: a row for each life, and a mark for each thing that happened in it.

A run may have more lives than a page could hold, and far more than can be seen: then those that failed and those around
the first failure are drawn one by one, and the others are joined, many to a row.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from heapq import nsmallest
from typing import TypeAlias

from harness.core.frozen import dataclass
from harness.core.model import Json
from harness.core.observations import Observations, WorkerLife
from harness.judge.timeline import since_load_s

Row: TypeAlias = dict[str, Json]

MOST_LANES = 48
"""So many workers get a lane each; of more, those that did not live at the same time share one."""

MOST_LIVES = 1000
"""So many are drawn one by one; the others are joined to as many rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnLives:
    """The rows of the lives, the marks upon them, and how many lanes they need."""

    rows: Sequence[Row]
    marks: Sequence[Row]
    lanes: int


def draw_lives(observations: Observations, to_s: float, focus_s: float | None) -> DrawnLives:
    """The lives of the workers until ``to_s``; ``focus_s`` is the moment of which most is to be seen."""
    lives = observations.lives
    lanes = _lanes(lives, observations)
    alone = _choose(observations, focus_s)
    rows: list[Row] = []
    marks: list[Row] = []
    apart: defaultdict[int, list[WorkerLife]] = defaultdict(list)
    for at, (life, lane) in enumerate(zip(lives, lanes, strict=True)):
        if at not in alone:
            apart[lane].append(life)
            continue
        row = _worker(life, lane, observations, to_s)
        rows.append(row)
        marks += _marks(life, row)
    together = -(-(len(lives) - len(alone)) // MOST_LIVES)
    for lane, joined in sorted(apart.items()):
        groups = (joined[at : at + together] for at in range(0, len(joined), together))
        rows += [_join(group, lane, observations, to_s) for group in groups]
    return DrawnLives(rows=rows, marks=marks, lanes=max(lanes, default=-1) + 1)


def _choose(observations: Observations, focus_s: float | None) -> Collection[int]:
    """The places of the lives that are drawn one by one: first those that failed, then those next to the focus."""
    lives = observations.lives
    if len(lives) <= MOST_LIVES:
        return range(len(lives))

    def rank(at: int) -> tuple[bool, float]:
        life = lives[at]
        moment_ns = life.crash_ns or life.restart_ns or life.ended_ns or life.booted_ns or 0
        return life.crash is None, abs(seconds(observations, moment_ns) - (focus_s or 0.0))

    return frozenset(nsmallest(MOST_LIVES, range(len(lives)), key=rank))


def _join(lives: Sequence[WorkerLife], lane: int, observations: Observations, to_s: float) -> Row:
    """Many lives in one row; what they have in common is their fate, the worst of them."""
    rows = [_worker(life, lane, observations, to_s) for life in lives]
    if len(rows) == 1:
        return rows[0]
    worst = min(rows, key=lambda row: _WORST_FIRST.index(str(row["fate"])))
    served = sum(life.served for life in lives)
    times = {"from": min(_number(row, "from") for row in rows), "to": max(_number(row, "to") for row in rows)}
    label = f"{len(rows):,} workers: {served:,} requests"
    return {**worst, **times, "served": served, "restart": None, "label": label}


def _number(row: Row, name: str) -> float:
    value = row[name]
    return value if isinstance(value, float) else 0.0


_WORST_FIRST = ("failed", "alive at the end", "ended", "recycled (max_requests)")


def _lanes(lives: Sequence[WorkerLife], observations: Observations) -> list[int]:
    """The lane of each worker, in the order of the lives: its own, or the first that is free again."""
    if len(lives) <= MOST_LANES:
        return list(range(len(lives)))
    free_ns: list[int] = []
    lanes = []
    for life in lives:
        start_ns, end_ns = life.booted_ns or 0, life.ended_ns or max(observations.phases.values(), default=0)
        lane = next((at for at, ns in enumerate(free_ns) if ns <= start_ns), len(free_ns))
        free_ns[lane : lane + 1] = [max(end_ns, start_ns + 1)]
        lanes.append(lane)
    return lanes


def _worker(life: WorkerLife, lane: int, observations: Observations, to_s: float) -> Row:
    moments = [ns for ns in (life.booted_ns, life.restart_ns, life.ended_ns, life.crash_ns) if ns is not None]
    from_s = seconds(observations, min(moments)) if moments else 0.0
    end_s = to_s if life.ended_ns is None else seconds(observations, life.ended_ns)
    fate = _fate(life)
    row: Row = {"lane": lane, "pid": life.pid, "from": from_s, "to": max(end_s, from_s), "served": life.served}
    restart_s = None if life.restart_ns is None else seconds(observations, life.restart_ns)
    label = f"worker {life.pid}: {life.served:,} requests, {fate}"
    return row | {"fate": fate, "crash": life.crash, "restart": restart_s, "label": label}


def _fate(life: WorkerLife) -> str:
    if life.crash is not None:
        return "failed"
    if life.ended_ns is None:
        return "alive at the end"
    return "recycled (max_requests)" if life.announced_restart else "ended"


def _marks(life: WorkerLife, row: Row) -> Iterator[Row]:
    """What happened to one worker, as marks on its lane."""
    about: Row = {"lane": row["lane"], "pid": life.pid, "served": life.served}
    if life.booted_ns is not None:
        yield about | {"at": row["from"], "event": "boot"}
    if life.restart_ns is not None:
        yield about | {"at": row["restart"], "event": "recycle"}
    if life.ended_ns is not None:
        yield about | {"at": row["to"], "event": "exit" if life.crash is None else "failure"}


def seconds(observations: Observations, at_ns: int) -> float:
    """A moment on the chart's axis."""
    return round(since_load_s(observations, at_ns), 4)
