"""From events to observations: cuts the window that is judged, joins the sources, says which workers lived when.

Pure: the same events always give the same observations. Nothing here says what is good or bad.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, cast

from harness.core.errors import UsageError
from harness.core.model import (
    Answers,
    Cell,
    Culprit,
    Event,
    LoadResult,
    Observations,
    Probe,
    Removal,
    SocketChange,
    Stall,
)
from harness.judge.lives import Lives

MUTE = "mute: gunicorn's log does not say how its workers end; do the app or the settings switch its loggers off?"

SAME_MOMENT_NS = 100_000_000
"""Two watchers that see one thing may differ by so much: the followers read every 20 to 50 ms."""


class _Reader:
    """Collects what each kind of event says; one method a kind."""

    def __init__(self, arbiter_pid: int | None) -> None:
        self.phases: dict[str, int] = {}
        self.arbiter_pid = arbiter_pid
        self.arbiter_exit: tuple[int, int | None] | None = None
        self.stopping_ns: int | None = None
        self.asked_ns: int | None = None
        self.proxy_exit_ns: int | None = None
        self.given_up = 0
        self.queue: int | None = None
        self.control = (0, 0)
        self.socket: list[SocketChange] = []
        self.removals: list[Removal] = []
        self.probes: list[Probe] = []
        self.answers: list[Answers] = []
        self.lives = Lives()
        self.load: LoadResult | None = None
        self.watchers: dict[str, str] = {}
        self.proxy_errors: Counter[str] = Counter()
        self.traced: set[int] = set()
        self.stalls: list[Stall] = []
        self.foreign_share: float | None = None
        self.interrupted: str | None = None
        self.fault: dict[str, Any] | None = None
        self.ledger: dict[str, Any] | None = None

    def read(self, event: Event, closed_ns: int | None) -> None:
        """Take an event into account if it belongs to the window; UsageError where it lacks what its kind has."""
        handler = getattr(self, "_read_" + event.kind.replace("-", "_"), None)
        try:
            if handler is not None and _counts(event, closed_ns):
                handler(event.at_ns, event.fields)
        except (KeyError, TypeError, ValueError, AttributeError) as problem:
            raise UsageError(
                what=f"The record is broken: its {event.kind!r} event at {event.at_ns} ns can't be read ({problem!r}).",
                remedy="Judge a record as the harness wrote it.",
            ) from problem

    def _read_phase(self, at_ns: int, fields: Mapping[str, Any]) -> None:
        self.phases.setdefault(fields["name"], at_ns)
        if fields["name"] == "load":
            self.lives.forget_samples()

    def _read_arbiter(self, at_ns: int, fields: Mapping[str, Any]) -> None:
        if fields["state"] == "exited" and self.arbiter_exit is None:
            self.arbiter_exit = (at_ns, fields.get("status"))

    def _read_proxy(self, at_ns: int, fields: Mapping[str, Any]) -> None:
        if fields["state"] == "exited" and self.proxy_exit_ns is None:
            self.proxy_exit_ns = at_ns

    def _read_readiness(self, at_ns: int, fields: Mapping[str, Any]) -> None:
        self.given_up += int(fields["given_up"])
        self.queue = fields.get("queue")

    def _read_control(self, at_ns: int, fields: Mapping[str, Any]) -> None:
        self.control = (fields["asked"], fields["answered"])

    def _read_socket(self, at_ns: int, fields: Mapping[str, Any]) -> None:
        self.socket.append(SocketChange(at_ns=at_ns, action=fields["action"], inode=fields["inode"]))

    def _read_removal(self, at_ns: int, fields: Mapping[str, Any]) -> None:
        stack = fields["stack"]
        culprit = Culprit(
            pid=fields["pid"],
            role=self._role(fields),
            call=fields["call"],
            stack=tuple(f"{file}:{line} {name}" for file, line, name, _ in stack),
            source=tuple(text for *_, text in stack),
        )
        self.removals.append(Removal(at_ns=at_ns, culprit=culprit, failed=fields["failed"]))

    def _role(self, fields: Mapping[str, Any]) -> str:
        """The arbiter that the harness started outranks what the traced process thinks of itself."""
        if fields["pid"] == self.arbiter_pid:
            return "arbiter"
        return "worker" if fields["ppid"] == self.arbiter_pid else "other"

    def _read_probe(self, at_ns: int, fields: Mapping[str, Any]) -> None:
        self.probes.append(Probe(at_ns=at_ns, took_ns=fields["took_ns"], via=fields["via"], outcome=fields["outcome"]))

    def _read_answers(self, at_ns: int, fields: Mapping[str, Any]) -> None:
        self.answers.append(Answers(at_ns=at_ns, outcomes=fields["outcomes"]))

    def _read_workers(self, at_ns: int, fields: Mapping[str, Any]) -> None:
        self.lives.see(at_ns, dict(fields["live"]))

    def _read_log(self, at_ns: int, fields: Mapping[str, Any]) -> None:
        if fields["pid"] is not None and fields["pid"] == self.arbiter_pid:
            self._read_arbiter_line(at_ns, fields["state"])
        self.lives.read_line(at_ns, fields["pid"], fields["state"], fields["text"])

    def _read_arbiter_line(self, at_ns: int, state: str | None) -> None:
        if state in {"stopping", "asked-to-stop"} and self.stopping_ns is None:
            self.stopping_ns = at_ns
        if state in {"asked", "asked-to-stop"} and self.asked_ns is None:
            self.asked_ns = at_ns

    def _read_served(self, at_ns: int, fields: Mapping[str, Any]) -> None:
        for pid, by_status in fields["by_pid"].items():
            self.lives.count(at_ns, int(pid), sum(by_status.values()))

    def _read_proxy_errors(self, at_ns: int, fields: Mapping[str, Any]) -> None:
        self.proxy_errors.update(fields["reasons"])

    def _read_load(self, at_ns: int, fields: Mapping[str, Any]) -> None:
        if fields["state"] == "ended":
            self.load = LoadResult(
                requests=fields["requests"],
                statuses=fields["statuses"],
                errors=fields["errors"],
                stopped_early=fields["stopped_early"],
                failed=fields["failed"],
                late=fields.get("late"),
                latency_ms=fields.get("latency_ms", {}),
                pace=fields.get("pace", {}),
            )

    def _read_watcher(self, at_ns: int, fields: Mapping[str, Any]) -> None:
        name, state = fields["name"], fields["state"]
        if not self.watchers.get(name, "").startswith("died"):
            self.watchers[name] = f"died: {fields['detail']}" if state == "died" else state

    def _read_tracer(self, at_ns: int, fields: Mapping[str, Any]) -> None:
        self.traced.add(fields["pid"])

    def _read_tracer_problem(self, at_ns: int, fields: Mapping[str, Any]) -> None:
        self.watchers["tracer"] = f"died: {fields['text']}"

    def _read_machine(self, at_ns: int, fields: Mapping[str, Any]) -> None:
        self.foreign_share = fields["foreign_share"]

    def _read_stall(self, at_ns: int, fields: Mapping[str, Any]) -> None:
        self.stalls.append(Stall(at_ns=at_ns, gap_ns=fields["gap_ns"]))

    def _read_interrupted(self, at_ns: int, fields: Mapping[str, Any]) -> None:
        self.interrupted = fields["phase"]

    def _read_fault(self, at_ns: int, fields: Mapping[str, Any]) -> None:
        self.fault = dict(fields)

    def _read_ledger(self, at_ns: int, fields: Mapping[str, Any]) -> None:
        self.ledger = dict(fields)

    def tracer_state(self) -> str:
        """The tracer saw the whole run if the arbiter loaded it: workers inherit it, and it can't be unloaded.

        What it wrote is read by the watcher of the logs, so it is worth no more than that one.
        """
        state = self.watchers.get("tracer", "off")
        if state != "expected":
            return state
        if self.watchers.get("logs") != "stopped":
            return "died: its file was not read to the end"
        return "stopped" if self.arbiter_pid in self.traced else "died: it was never loaded by the arbiter"


_OUTSIDE_THE_WINDOW = {"phase", "fault", "interrupted", "ledger"}
"""Kinds that count whenever they came; everything else only until the window closed."""


def observe(cell: Cell, events: Iterable[Event]) -> Observations:
    """The events of a run in the order of their times, whatever the order of their arrival; O(events) in memory.

    Raises:
        UsageError: an event without the fields of its kind; a stored run may come from somebody else.
    """
    ordered = sorted(events, key=lambda event: event.at_ns)
    reader = _Reader(_find_arbiter(ordered))
    closed_ns = next((e.at_ns for e in ordered if e.kind == "phase" and e.fields.get("name") == "closed"), None)
    for event in ordered:
        reader.read(event, closed_ns)
    if "tracer" in reader.watchers:
        reader.watchers["tracer"] = reader.tracer_state()
    limit = cell.max_requests + cell.max_requests_jitter if cell.max_requests else None
    if reader.watchers.get("logs") == "stopped" and reader.lives.is_mute(limit):
        reader.watchers["logs"] = MUTE
    exit_ns, status = reader.arbiter_exit or (None, None)
    return Observations(
        cell=cell,
        phases=reader.phases,
        arbiter_pid=reader.arbiter_pid,
        arbiter_exit_ns=exit_ns,
        arbiter_status=status,
        arbiter_stopping_ns=reader.stopping_ns,
        arbiter_asked_ns=reader.asked_ns,
        proxy_exit_ns=reader.proxy_exit_ns,
        given_up=reader.given_up,
        queue=reader.queue,
        control_asked=reader.control[0],
        control_answered=reader.control[1],
        socket=tuple(reader.socket),
        removals=tuple(reader.removals),
        probes=tuple(reader.probes),
        answers=tuple(reader.answers),
        lives=reader.lives.close(log_complete=reader.watchers.get("logs") == "stopped"),
        live_at_end=reader.lives.live_workers(),
        fewest_live=reader.lives.fewest_workers(),
        load=reader.load,
        watchers=reader.watchers,
        proxy_errors=dict(reader.proxy_errors),
        stalls=tuple(reader.stalls),
        foreign_share=reader.foreign_share,
        interrupted=reader.interrupted,
        fault=reader.fault,
        ledger=reader.ledger,
    )


def _find_arbiter(events: Iterable[Event]) -> int | None:
    pids = (e.fields.get("pid") for e in events if e.kind == "arbiter" and e.fields.get("state") == "started")
    return cast("int | None", next(pids, None))


def _counts(event: Event, closed_ns: int | None) -> bool:
    """A probe carries the time of its start; one that was still under way when the window closed saw the teardown."""
    took_ns = cast(int, event.fields["took_ns"]) if event.kind == "probe" else 0
    return event.kind in _OUTSIDE_THE_WINDOW or closed_ns is None or event.at_ns + took_ns <= closed_ns


def find_blind(observations: Observations, *names: str) -> str | None:
    """The first of these watchers that did not see the whole run, in words; None where all of them did."""
    for name in names:
        state = observations.watchers.get(name, "never started")
        if state != "stopped":
            return f"the watcher {name} did not see the whole run: {state}"
    return None


def since_load_s(observations: Observations, at_ns: int) -> float:
    """Seconds since the load began (since the first phase where there was no load); negative before it."""
    phases = observations.phases
    origin_ns = phases.get("load", min(phases.values(), default=at_ns))
    return (at_ns - origin_ns) / 1e9
