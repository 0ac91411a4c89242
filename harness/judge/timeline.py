"""From events to observations: cuts the window that is judged, joins the sources, says which workers lived when.

Pure: the same events always give the same observations. Nothing here says what is good or bad.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from harness.core.events.base import ArmEvent, Event, UnknownEvent
from harness.core.events.bound_path import ClientRights, LiveProcesses, TracedCall
from harness.core.events.clients import Answers, AnswerTimes, LedgerClosed, LedgerFailed, LoadEnded, Probe
from harness.core.events.course import (
    Contradiction,
    Control,
    CutShort,
    Fault,
    Interrupted,
    Machine,
    Phase,
    Readiness,
    Stall,
    WatcherState,
)
from harness.core.events.fleet import AskedAlone, Fleet
from harness.core.events.recovery import RungBegan, RungEnded
from harness.core.events.servers import (
    GunicornLine,
    LiveWorkers,
    ProxyErrors,
    ProxyExited,
    Served,
    SocketChange,
    TracedRemoval,
    TracerLoaded,
    TracerProblem,
)
from harness.core.model import Cell, Json
from harness.core.observations import Observations
from harness.judge.arbiters import OF_ARBITERS, Arbiters
from harness.judge.defects import describe_defect
from harness.judge.doings import FIELDS, DoingsReader
from harness.judge.event_table import EventTable, OrderedEvents
from harness.judge.judged_window import is_judged
from harness.judge.ledger.disagreements import describe_disagreements
from harness.judge.leftovers import KINDS, LeftoversReader
from harness.judge.lives import Lives
from harness.judge.traced_calls import TracedCalls
from harness.stack.gunicorn import most_in_hand

MUTE = "mute: gunicorn's log does not say how its workers end; do the app or the settings switch its loggers off?"


class _Reader:
    """Collects what the events of each class say."""

    def __init__(self, arbiters: Arbiters) -> None:
        self.phases: dict[str, int] = {}
        self.arbiters = arbiters
        self.proxy_exit_ns: int | None = None
        self.given_up = 0
        self.queue: int | None = None
        self.control = Control(at_ns=0, asked=0, answered=0)
        self.socket: list[SocketChange] = []
        self.calls = TracedCalls(arbiters)
        self.rights: ClientRights | None = None
        self.processes: list[LiveProcesses] = []
        self.probes = EventTable(Probe)
        self.answers = EventTable(Answers)
        self.lives = Lives()
        self.load: LoadEnded | None = None
        self.fleets: list[Fleet] = []
        self.asked_alone: list[AskedAlone] = []
        self.watchers: dict[str, str] = {}
        self.proxy_errors: Counter[str] = Counter()
        self.traced: set[int] = set()
        self.doings = DoingsReader()
        self.leftovers = LeftoversReader()
        self.answer_times = EventTable(AnswerTimes)
        self.stalls: list[Stall] = []
        self.foreign_share: float | None = None
        self.interrupted: str | None = None
        self.fault: dict[str, Json] | None = None
        self.ledger: dict[str, Json] | None = None
        self.rungs: list[RungBegan | RungEnded] = []
        self.defects: dict[str, None] = {}

    def read(self, event: Event, closed_ns: int | None) -> None:
        """Take an event into account if it belongs to the window."""
        read = _READ.get(type(event))
        if not is_judged(event, closed_ns):
            self.leftovers.read(event)
        elif read is not None:
            read(self, event)

    def _read_phase(self, event: Phase) -> None:
        self.phases.setdefault(event.name, event.at_ns)
        if event.name == "load":
            self.lives.forget_samples()

    def _read_proxy_exit(self, event: ProxyExited) -> None:
        self.proxy_exit_ns = event.at_ns if self.proxy_exit_ns is None else self.proxy_exit_ns

    def _read_readiness(self, event: Readiness) -> None:
        self.given_up += event.given_up
        self.queue = event.queue

    def _read_workers(self, event: LiveWorkers) -> None:
        self.lives.see(event.at_ns, dict(event.live))

    def _read_line(self, event: GunicornLine) -> None:
        self.arbiters.read_line(event.at_ns, event.pid, event.state)
        self.lives.read_line(event.at_ns, event.pid, event.state, event.text)

    def _read_served(self, event: Served) -> None:
        for pid, by_status in event.by_pid.items():
            self.lives.count(event.at_ns, pid, sum(by_status.values()))

    def _read_proxy_errors(self, event: ProxyErrors) -> None:
        self.proxy_errors.update(event.reasons)

    def _read_watcher(self, event: WatcherState) -> None:
        if not self.watchers.get(event.name, "").startswith("died"):
            self.watchers[event.name] = f"died: {event.detail}" if event.state == "died" else event.state

    def read_doing(self, event: Event) -> None:
        """Whose doing something was; a signal of the harness's own concerns the arbiters, too."""
        self.doings.read(event)
        self.arbiters.read(event)

    def _read_tracer(self, event: TracerLoaded) -> None:
        self.traced.add(event.pid)
        self.doings.meet_tracer(event)

    def _read_tracer_problem(self, event: TracerProblem) -> None:
        self.watchers["tracer"] = f"died: {event.text}"

    def _read_machine(self, event: Machine) -> None:
        self.foreign_share = event.foreign_share

    def _read_interruption(self, event: Interrupted) -> None:
        self.interrupted = event.phase

    def _read_control(self, event: Control) -> None:
        self.control = event

    def _read_rights(self, event: ClientRights) -> None:
        self.rights = event

    def _read_load(self, event: LoadEnded) -> None:
        self.load = event

    def _read_fault(self, event: Fault) -> None:
        self.fault = _fields(event)

    def _read_ledger(self, event: LedgerClosed | LedgerFailed) -> None:
        self.ledger = _fields(event)

    def _read_defect(self, event: Contradiction | UnknownEvent | ArmEvent) -> None:
        self.defects.setdefault(describe_defect(event))

    def tracer_state(self) -> str:
        """The tracer saw the whole run if the arbiter loaded it: workers inherit it, and it can't be unloaded.

        What it wrote is read by the watcher of the logs, so it is worth no more than that one.
        """
        state = self.watchers.get("tracer", "off")
        if state != "expected":
            return state
        if self.watchers.get("logs") != "stopped":
            return "died: its file was not read to the end"
        return "stopped" if self.arbiters.first in self.traced else "died: it was never loaded by the arbiter"


def _fields(event: Event) -> dict[str, Json]:
    return {name: value for name, value in event.to_json().items() if name not in {"at_ns", "kind"}}


_READ: Mapping[type[Event], Callable[[_Reader, Any], None]] = {
    Phase: _Reader._read_phase,
    **dict.fromkeys(OF_ARBITERS, lambda reader, event: reader.arbiters.read(event)),
    ProxyExited: _Reader._read_proxy_exit,
    Readiness: _Reader._read_readiness,
    Control: _Reader._read_control,
    SocketChange: lambda reader, event: reader.socket.append(event),
    TracedRemoval: lambda reader, event: reader.calls.read_removal(event),
    TracedCall: lambda reader, event: reader.calls.read_call(event),
    ClientRights: _Reader._read_rights,
    LiveProcesses: lambda reader, event: reader.processes.append(event),
    Probe: lambda reader, event: reader.probes.append(event),
    Answers: lambda reader, event: reader.answers.append(event),
    AnswerTimes: lambda reader, event: reader.answer_times.append(event),
    **dict.fromkeys(FIELDS, lambda reader, event: reader.read_doing(event)),
    LiveWorkers: _Reader._read_workers,
    GunicornLine: _Reader._read_line,
    Served: _Reader._read_served,
    ProxyErrors: _Reader._read_proxy_errors,
    LoadEnded: _Reader._read_load,
    Fleet: lambda reader, event: reader.fleets.append(event),
    AskedAlone: lambda reader, event: reader.asked_alone.append(event),
    **dict.fromkeys((RungBegan, RungEnded), lambda reader, event: reader.rungs.append(event)),
    **dict.fromkeys(KINDS, lambda reader, event: reader.leftovers.read(event)),
    WatcherState: _Reader._read_watcher,
    TracerLoaded: _Reader._read_tracer,
    TracerProblem: _Reader._read_tracer_problem,
    Machine: _Reader._read_machine,
    Stall: lambda reader, event: reader.stalls.append(event),
    Interrupted: _Reader._read_interruption,
    Fault: _Reader._read_fault,
    LedgerClosed: _Reader._read_ledger,
    LedgerFailed: _Reader._read_ledger,
    Contradiction: _Reader._read_defect,
    UnknownEvent: _Reader._read_defect,
    ArmEvent: _Reader._read_defect,
}
"""What is done with the events of each class; the others say nothing that is judged."""


def observe(cell: Cell, events: Iterable[Event]) -> Observations:
    """The events of a run in the order of their times, whatever the order of their arrival.

    Those that come by the hundred thousand are kept in little memory; see ``event_table``.
    """
    ordered = OrderedEvents(events)
    rare = ordered.rare()
    reader = _Reader(Arbiters(rare))
    closed_ns = next((event.at_ns for event in rare if isinstance(event, Phase) and event.name == "closed"), None)
    for event in ordered:
        reader.read(event, closed_ns)
    if "tracer" in reader.watchers:
        reader.watchers["tracer"] = reader.tracer_state()
    limit = cell.max_requests + cell.max_requests_jitter if cell.max_requests else None
    doings, log_complete = reader.doings.close(), reader.watchers.get("logs") == "stopped"
    statuses = {ended.child: ended.status for ended in doings.ended}
    if log_complete and reader.lives.is_mute(limit) and not reader.lives.are_ends_known(statuses):
        reader.watchers["logs"] = MUTE
        log_complete = False
    lives = reader.lives.close(log_complete=log_complete, statuses=statuses)
    in_hand = most_in_hand(cell) * sum(life.ended_ns is not None for life in lives)
    return Observations(
        cell=cell,
        phases=reader.phases,
        **reader.arbiters.close(),
        proxy_exit_ns=reader.proxy_exit_ns,
        given_up=reader.given_up,
        queue=reader.queue,
        control_asked=reader.control.asked,
        control_answered=reader.control.answered,
        control_took_ns=reader.control.took_ns or (),
        socket=tuple(reader.socket),
        removals=tuple(reader.calls.removals),
        calls=tuple(reader.calls.others),
        rights=reader.rights,
        processes=tuple(reader.processes),
        probes=reader.probes,
        answers=reader.answers,
        lives=lives,
        live_at_end=reader.lives.live_workers(),
        fewest_live=reader.lives.fewest_workers(),
        samples=reader.lives.list_samples(),
        fleet=next(iter(reader.fleets), None),
        asked_alone=tuple(reader.asked_alone),
        load=reader.load,
        watchers=reader.watchers,
        proxy_errors=dict(reader.proxy_errors),
        stalls=tuple(stall for stall in reader.stalls if stall.is_standstill),
        short_stalls=tuple(stall for stall in reader.stalls if not stall.is_standstill),
        foreign_share=reader.foreign_share,
        interrupted=reader.interrupted,
        fault=reader.fault,
        ledger=reader.ledger,
        cut_short=any(isinstance(event, CutShort) for event in rare),
        doings=doings,
        answer_times=reader.answer_times,
        leftovers=reader.leftovers.close(),
        rungs=tuple(reader.rungs),
        defects=(*reader.defects, *describe_disagreements(reader.ledger, unlogged=in_hand)),
    )


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
