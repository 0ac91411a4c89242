"""A builder of synthetic records of the scenario ``leak``: two workers that leak so much, with and without restarts."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Any

from harness.core.cells import cell_to_json
from harness.core.events.base import ArmEvent, Event
from harness.core.model import Cell, Json, Verdict
from harness.judge.record import judge_record
from tests.unit.events import ARBITER, INODE, Record, at_ns, event

CELL = Cell(
    spec="1.0",
    workers=2,
    threads=2,
    max_requests=200,
    max_requests_jitter=40,
    connections=10,
    recycles=6,
    scenario="leak",
)
MB = 1_000_000
STEP_S = 0.05
LOAD_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """Bytes: what a worker begins with, leaks a request, fills up once, and what the arbiter keeps of each worker."""

    base: int = 12 * MB
    leak: float = 32_000.0
    cache: int = 0  # filled up within the first CACHE_REQUESTS of a worker
    arbiter_leak: int = 0
    noise: int = 40_000


CACHE_REQUESTS = 400


def arm(cell: Cell, app: App, *, requests: int = 4400, restarts: bool = True, seed: int = 1, late: int = 0) -> Record:
    """One run in which ``requests`` are served evenly; workers restart ``late`` by so many, or not at all."""
    record = _frame(cell, requests)
    chance = random.Random(seed)  # noqa: S311 - no secret
    workers = {101: [0.0, _limit(cell, chance)], 102: [0.0, _limit(cell, chance)]}
    born = 2
    each = requests / (LOAD_S / STEP_S) / 2
    at_s = 0.0
    while at_s < LOAD_S - STEP_S:
        at_s += STEP_S
        for pid in list(workers):
            workers[pid][0] += each
            record.served(at_s - 0.001, pid, round(each))
            served, limit = workers[pid]
            if restarts and cell.max_requests and served >= limit + late:
                born += 1
                del workers[pid]
                fresh = 100 + born
                record.log(at_s, pid, "restarting", "Autorestarting worker after current request.")
                record.log(at_s, pid, "exiting", f"Worker exiting (pid: {pid})")
                record.live(at_s, *workers)
                workers[fresh] = [0.0, _limit(cell, chance)]
                record.boots(at_s, fresh).live(at_s, *workers)
        _sample(record, at_s, app, workers=workers, born=born, chance=chance)
    return record.live(5.96, *workers, final=True)


def _limit(cell: Cell, chance: random.Random) -> float:
    return cell.max_requests + chance.randint(0, cell.max_requests_jitter)


def _sample(
    record: Record, at_s: float, app: App, *, workers: dict[int, list[float]], born: int, chance: random.Random
) -> None:
    def size(served: float) -> int:
        filled = app.cache * min(served / CACHE_REQUESTS, 1.0)
        return round(app.base + app.leak * served + filled + chance.gauss(0, app.noise))

    own = {str(pid): size(served) for pid, (served, _) in workers.items()}
    own[str(ARBITER)] = 10 * MB + app.arbiter_leak * (born - 2)
    total = sum(own.values())
    record.add(at_s, "memory", own_bytes=own, unshared_bytes=total + 12 * MB, file_bytes=2 * MB)


def _frame(cell: Cell, requests: int) -> Record:
    """All of a good run but its workers' doings."""
    record = Record(cell).phases(prepare=-0.6, boot=-0.5, control=-0.1, load=0.0, settle=5.0, closed=6.0, ended=6.1)
    for name in ("logs", "tallies", "workers", "prober", "socket", "memory"):
        record.add(-0.5, "watcher", name=name, state="started").add(5.99, "watcher", name=name, state="stopped")
    record.add(-0.5, "watcher", name="tracer", state="expected").add(-0.45, "arbiter", state="started", pid=ARBITER)
    record.add(-0.44, "tracer", pid=ARBITER, ppid=1, python="3.11.7")
    record.socket(-0.4, "created", INODE).socket(5.95, "snapshot", INODE)
    record.boots(-0.3, 101).boots(-0.2, 102).live(-0.3, 101).live(-0.2, 101, 102)
    record.add(-0.05, "control", asked=30, answered=30)
    record.probes((step / 4 for step in range(20)), "200").probes((5.01 + 0.04 * step for step in range(22)), "200")
    for step in range(49):
        record.answers(step / 10, s200=requests // 49)
    return record.load_ended(4.99, statuses={"200": requests // 49 * 49})


def trial(
    without: Record, with_: Record, *, order: tuple[str, ...] = ("without", "with"), **settings: Any
) -> list[Event]:
    """The scenario's stream of events; the arm ``with`` ran a while after the other."""
    events: list[Event] = [event(at_ns(-1), "scenario", name="leak", settings=settings)]
    for name in order:
        record, later_ns = (without, 0) if name == "without" else (with_, 10**10)
        cell = replace(record.cell, scenario=None)
        head: dict[str, Json] = {"name": name, "run": f"arms/{name}", "cell": cell_to_json(cell)}
        events.append(event(at_ns(8) + later_ns, "arm", **head))
        for one in record.events:
            later = replace(one, at_ns=one.at_ns + later_ns)
            events.append(ArmEvent(at_ns=later.at_ns, arm=name, event=later))
    return events


def arms(app: App, *, other: App | None = None, **with_: Any) -> tuple[Record, Record]:
    """Both arms of an app; ``other`` is what the arm with restarts runs, where it is another."""
    without = arm(replace(CELL, max_requests=0, max_requests_jitter=0, scenario=None), app)
    return without, arm(replace(CELL, scenario=None), other or app, **{"seed": 2, **with_})


def judge(without: Record, with_: Record, **settings: Any) -> Verdict:
    """The verdict on the two arms."""
    return judge_record(CELL, trial(without, with_, **settings))[0]
