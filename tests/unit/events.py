"""A builder of synthetic records: a run in which all went well, and the means to spoil it in one place.

Times are seconds since the load began. No two events get the same time, so that the order of arrival can be shuffled.
"""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from harness.core.events.base import Event, encode, strip_arm
from harness.core.events.parsing import parse_event
from harness.core.findings import FindingId
from harness.core.model import Cell, Judgement, Verdict
from harness.core.observations import Observations
from harness.judge.invariants import INVARIANTS
from harness.judge.timeline import observe
from harness.judge.verdict import judge

LOAD_NS = 1_000_000_000_000
ARBITER = 100
INODE = 7
SOCKET = "/tmp/x/gunicorn.sock"  # noqa: S108 - a name in a text, no file
CELL = Cell(spec="1.0", workers=2, threads=2, max_requests=100, connections=10, recycles=2)
STOP_STACK = [
    ["gunicorn/app/base.py", 72, "run", "Arbiter(self).run()"],
    ["gunicorn/arbiter.py", 203, "run", "self.halt()"],
    ["gunicorn/arbiter.py", 331, "halt", "self.stop()"],
    ["gunicorn/arbiter.py", 352, "stop", "l.close()"],
    ["gunicorn/sock.py", 123, "close", "os.unlink(self.cfg_addr)"],
]
WORKER_STACK = [
    ["gunicorn/arbiter.py", 189, "run", "self.manage_workers()"],
    ["gunicorn/workers/gthread.py", 240, "run", "s.close()"],
    ["gunicorn/sock.py", 123, "close", "os.unlink(self.cfg_addr)"],
]


def at_ns(at_s: float) -> int:
    """The monotonic time of a moment of the run."""
    return LOAD_NS + round(at_s * 1e9)


def event(at_ns: int, kind: str, **fields: Any) -> Event:
    """The event that a line with these fields says; there is no field that its class does not have."""
    made = parse_event(json.loads(json.dumps({"at_ns": at_ns, "kind": kind, **fields})))
    strange = fields.keys() - {"state", "arm"} - {one.name for one in dataclasses.fields(strip_arm(made))}
    assert not strange, f"a {kind} has no {strange}"
    return made


def fields_of(event: Event) -> dict[str, Any]:
    """The fields of an event as they stand in its line."""
    line = json.loads(encode(event))
    return {name: value for name, value in line.items() if name not in {"at_ns", "kind"}}


class Record:
    """Events under construction; every method returns the record, so that calls can be chained."""

    def __init__(self, cell: Cell = CELL) -> None:
        self.cell = cell
        self.events: list[Event] = []

    def add(self, at_s: float, kind: str, **fields: Any) -> Record:
        """One event, a few ns later than those before."""
        self.events.append(event(at_ns(at_s) + len(self.events), kind, **fields))
        return self

    def remove(self, kind: str, **wanted: Any) -> Record:
        """Take out all events of a kind with these fields; there must be some."""
        kept = [event for event in self.events if not _matches(event, kind, wanted)]
        assert len(kept) < len(self.events), f"no {kind} with {wanted} in the record"
        self.events = kept
        return self

    def cut(self, kind: str, *, after_s: float, before_s: float = 1e6, **wanted: Any) -> Record:
        """Take out what matches within a span of time."""
        begin, end = at_ns(after_s), at_ns(before_s)
        self.events = [e for e in self.events if not (_matches(e, kind, wanted) and begin <= e.at_ns < end)]
        return self

    def with_cell(self, **changes: Any) -> Record:
        """The same events of another cell."""
        self.cell = replace(self.cell, **changes)
        return self

    def shuffled(self, seed: int) -> Record:
        """The same events in another order of arrival."""
        other = Record(self.cell)
        other.events = list(self.events)
        random.Random(seed).shuffle(other.events)  # noqa: S311 - no secret
        return other

    def phases(self, **at_s: float) -> Record:
        """Phases by name."""
        for name, begin_s in at_s.items():
            self.add(begin_s, "phase", name=name)
        return self

    def log(self, at_s: float, pid: int | None, state: str | None, text: str = "") -> Record:
        """A line of gunicorn's error log."""
        head = f"[2026-01-01 00:00:00 +0000] [{pid}] [INFO] " if pid is not None else ""
        return self.add(at_s, "log", text=head + text, pid=pid, level="INFO" if head else None, state=state)

    def live(self, at_s: float, *pids: int, final: bool = False) -> Record:
        """A sample of the arbiter's children."""
        return self.add(at_s, "workers", live=[[pid, pid * 10] for pid in pids], final=final)

    def served(self, at_s: float, pid: int, count: int) -> Record:
        """Lines of gunicorn's access log."""
        return self.add(at_s, "served", by_pid={str(pid): {"200": count}})

    def probe(self, at_s: float, via: str, outcome: str = "200", took_s: float = 0.002) -> Record:
        """One probe."""
        return self.add(at_s, "probe", via=via, outcome=outcome, took_ns=round(took_s * 1e9))

    def probes(self, times_s: Iterable[float], outcome: str, *vias: str, took_s: float = 0.002) -> Record:
        """Probes on several ways (both where none is named)."""
        for at_s in times_s:
            for via in vias or ("proxy", "direct"):
                self.probe(at_s, via, outcome, took_s)
        return self

    def answers(self, at_s: float, **outcomes: int) -> Record:
        """A bucket of the load: ``s200=5`` for five answers with status 200."""
        return self.add(at_s, "answers", outcomes={name.removeprefix("s"): count for name, count in outcomes.items()})

    def socket(self, at_s: float, action: str, inode: int | None = None) -> Record:
        """A change of the bound path."""
        return self.add(at_s, "socket", action=action, inode=inode)

    def removal(
        self,
        at_s: float,
        pid: int,
        *,
        failed: str | None = None,
        call: str = "os.unlink",
        stack: list[Any] | None = None,
        ppid: int | None = None,
        effect: str | None = None,
    ) -> Record:
        """What the tracer says about a call on the bound path; one of an older version does not tell the effect."""
        parent = ppid if ppid is not None else (1 if pid == ARBITER else ARBITER)
        return self.add(
            at_s,
            "removal",
            pid=pid,
            ppid=parent,
            call=call,
            failed=failed,
            paths=[SOCKET],
            role="worker",
            stack=WORKER_STACK if stack is None else stack,
            **({} if effect is None else {"effect": effect}),
        )

    def call(self, at_s: float, pid: int, call: str, effect: str, *paths: str, **more: Any) -> Record:
        """What the tracer says about a call that removes nothing by itself."""
        parent = 1 if pid == ARBITER else ARBITER
        said = {"failed": None, "stack": WORKER_STACK, "paths": list(paths), **more}
        return self.add(at_s, "path-call", pid=pid, ppid=parent, call=call, effect=effect, **said)

    def path(self, at_s: float, action: str = "rights", mode: int = 0o777, **more: Any) -> Record:
        """What the path is, with its rights: open to all unless told otherwise."""
        folders = [["/", 0o40755, 0, 0], ["/tmp/x", more.pop("folder_mode", 0o40755), 0, 0]]  # noqa: S108 - a name
        said = {"inode": INODE, "mode": 0o140000 | mode, "owner": [0, 0], "folders": folders, **more}
        return self.add(at_s, "socket", action=action, **said)

    def clients(self, *, uid: int = 65534, groups: Iterable[int] = (65534,), overrides: bool = False) -> Record:
        """As whom the proxy comes, and what the path is once it has answered."""
        self.add(-0.5, "client-rights", pid=90, uid=uid, groups=list(groups), overrides=overrides)
        return self

    def load_ended(
        self, at_s: float = 5.0, *, statuses: dict[str, int], errors: dict[str, int] | None = None, **more: Any
    ) -> Record:
        """What the load generator said at its end."""
        no_errors = {"closed": 0, "timeout": 0, "refused": 0}
        requests = more.pop("requests", sum(statuses.values()))
        said = {"stopped_early": True, "failed": None, **more}
        return self.add(
            at_s, "load", state="ended", requests=requests, statuses=statuses, errors=no_errors | (errors or {}), **said
        )

    def reload_ended(self, **said: Any) -> Record:
        """Another end of the load."""
        return self.remove("load", state="ended").load_ended(**said)

    def boots(self, at_s: float, pid: int) -> Record:
        """A worker boots."""
        return self.log(at_s, pid, "booted", f"Booting worker with pid: {pid}")

    def restarts(self, at_s: float, pid: int, *, served: int) -> Record:
        """A worker reaches max_requests and says so, and that it exits."""
        self.served(at_s - 0.05, pid, served)
        self.log(at_s, pid, "restarting", "Autorestarting worker after current request.")
        return self.log(at_s + 0.03, pid, "exiting", f"Worker exiting (pid: {pid})")

    def gone(self, at_s: float, action: str = "deleted") -> Record:
        """The path vanishes and stays away: the snapshot at the end agrees, and nobody is answered any more."""
        self.socket(at_s, action)
        self.remove("socket", action="snapshot").socket(5.94, "snapshot", None)
        return self

    def outage(self, since_s: float, *, proxied: str = "502", direct: str = "missing") -> Record:
        """From then on every request fails."""
        self.cut("probe", after_s=since_s).cut("answers", after_s=since_s)
        times = [since_s + 0.005 + 0.04 * step for step in range(int((5.9 - since_s) / 0.04))]
        self.probes(times, proxied, "proxy").probes(times, direct, "direct")
        for at_s in (step / 10 for step in range(int(since_s * 10) + 1, 49)):
            self.answers(at_s, **{f"s{proxied}": 10})
        return self.reload_ended(statuses={"200": 500, proxied: 490})

    def slow(self, *, answers: int, until_s: float = 4.8) -> Record:
        """The load is answered so slowly that ten of its requests are time-outs, but steadily."""
        self.cut("answers", after_s=0.0)
        for step in range(20):
            self.answers(until_s * (step + 1) / 20, s200=answers // 20)
        return self.reload_ended(statuses={"200": answers}, errors={"timeout": 10})

    def observe(self) -> Observations:
        """What the record says."""
        return observe(self.cell, self.events)

    def ask(self, name: str) -> Judgement:
        """The answer of one invariant."""
        judgement = INVARIANTS[name](self.observe())
        assert judgement is not None, "the promise does not apply to this record"
        return judgement

    def judge(self) -> Verdict:
        """The verdict on the whole."""
        return judge(self.observe())

    def found(self) -> list[FindingId]:
        """The ids of the verdict's findings."""
        return [finding.id for finding in self.judge().findings]


def healthy(cell: Cell = CELL) -> Record:
    """A run in which nothing went wrong: two workers restarted after 100 requests each, all was answered."""
    record = Record(cell).phases(prepare=-0.6, boot=-0.5, control=-0.1, load=0.0, settle=5.0, closed=6.0, ended=6.1)
    names = ["logs", "tallies", "workers", "prober"] + (["socket"] if cell.bind == "unix" else [])
    for name in names:
        record.add(-0.5, "watcher", name=name, state="started").add(5.99, "watcher", name=name, state="stopped")
    record.add(-0.5, "watcher", name="tracer", state="expected" if cell.trace and cell.bind == "unix" else "off")
    record.add(-0.45, "arbiter", state="started", pid=ARBITER)
    record.add(-0.44, "tracer", pid=ARBITER, ppid=1, python="3.11.7")
    if cell.bind == "unix":
        record.socket(-0.4, "created", INODE).socket(5.95, "snapshot", INODE)
    record.boots(-0.3, 101).boots(-0.2, 102).live(-0.3, 101).live(-0.2, 101, 102)
    record.add(-0.05, "control", asked=30, answered=30)
    record.restarts(1.0, 101, served=100).live(1.1, 102).boots(1.2, 103).live(1.21, 102, 103)
    record.restarts(2.0, 102, served=104).live(2.1, 103).boots(2.2, 104).live(2.21, 103, 104)
    record.served(4.0, 103, 60).served(4.0, 104, 40).live(5.96, 103, 104, final=True)
    record.probes((step / 4 for step in range(20)), "200").probes((5.01 + 0.04 * step for step in range(22)), "200")
    for step in range(49):
        record.answers(step / 10, s200=20)
    return record.load_ended(4.99, statuses={"200": 980})


def _matches(event: Event, kind: str, wanted: dict[str, Any]) -> bool:
    return event.kind == kind and _has(fields_of(event) if wanted else {}, wanted)


def _has(fields: dict[str, Any], wanted: dict[str, Any]) -> bool:
    return all(fields.get(name) == value for name, value in wanted.items())
