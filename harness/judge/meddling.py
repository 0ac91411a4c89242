"""What was not gunicorn's doing: signals and stops from outside, and what the user's app did to itself.

Pure. Each entry says since when, by whom, and which findings say nothing from then on. The tracer inside gunicorn knows
every signal that gunicorn sends; one that arrives without having been sent comes from outside.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Iterator
from enum import Enum

from harness.core.events.doings import AppFault, SignalReceived, SignalSent
from harness.core.findings import FindingId
from harness.core.frozen import dataclass
from harness.core.observations import Observations
from harness.judge.culprits import is_apps
from harness.judge.lives import SILENT_END

MEDDLED = "somebody else sent gunicorn a signal during the run"

LASTED_NS = 1_000_000_000
"""A worker that lived on for so long with a request in the app was kept by the app; else its end cut that off."""

OUTSIDERS = frozenset({1, 2, 3, 9, 10, 12, 14, 15, 19, 20})
"""The signals that one process sends to another; the others come from what the process itself does, such as SIGSEGV."""

_HARMLESS = frozenset({signal.SIGCHLD, signal.SIGCONT, signal.SIGWINCH, signal.SIGURG})

_OF_CLIENTS = frozenset({FindingId.FAILED_RESPONSES, FindingId.PERMANENT_OUTAGE})
_OF_OTHER_THINGS = {
    "socket-deleted",
    "socket-replaced",
    "socket-unreachable",
    "socket-left-behind",
    "wrong-answers",
    "executed-twice",
    "memory-unbounded",
    "capacity-lost",
}
_OF_WORKERS = frozenset(finding for finding in FindingId if finding.value not in _OF_OTHER_THINGS)
_ALL = frozenset(FindingId)


class By(str, Enum):
    """Who did it."""

    APP = "the app"
    OUTSIDE = "somebody else"
    UNKNOWN = "nobody knows who"


@dataclass(frozen=True, slots=True, kw_only=True)
class Meddling:
    """From ``at_ns`` on (MEDDLING_S in ``verdict`` before it), findings of these ids say nothing of gunicorn."""

    at_ns: int
    by: By
    what: str
    covers: frozenset[FindingId]

    @property
    def is_total(self) -> bool:
        """Whether nothing at all can be said any more, neither for gunicorn nor against it."""
        return self.covers == _ALL


def find_meddling(observations: Observations) -> tuple[Meddling, ...]:
    """All of it, by time."""
    found = [entry for look in _LOOKS for entry in look(observations)]
    return tuple(sorted(found, key=lambda entry: entry.at_ns))


def _tells(observations: Observations) -> bool:
    """Whether every signal that a process of gunicorn sent is known."""
    return observations.doings.complete and observations.watchers.get("tracer") == "stopped"


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _is_sent(observations: Observations, pid: int, number: int, by: Callable[[SignalSent], bool]) -> bool:
    """Whether a process of gunicorn sent this signal to this process, or to a group that it may be in."""
    return any(
        sent.signal == number and (sent.target == pid or sent.target <= 0) and by(sent)
        for sent in observations.doings.sent
    )


def is_stopped_by_gunicorn(observations: Observations, pid: int) -> bool:
    """Whether a process of gunicorn, and not the app in it, was seen to stop this process (SIGSTOP)."""
    return _tells(observations) and _is_sent(observations, pid, signal.SIGSTOP, lambda sent: not _is_by_app(sent))


def _is_known(observations: Observations, pid: int, number: int) -> bool:
    """Whether a process of gunicorn or the harness itself sent this signal to this process."""
    ours = any(sent.pid == pid and sent.signal == number for sent in observations.doings.ours)
    return ours or _is_sent(observations, pid, number, _is_anybodys)


def _is_anybodys(_: SignalSent) -> bool:
    return True


def _is_by_app(sent: SignalSent) -> bool:
    return is_apps(frame[0] for frame in sent.stack)


def _asked_arbiter(observations: Observations) -> Iterator[Meddling]:
    """The arbiter's own log says that it was told to stop or to change, and it was not gunicorn itself that told it."""
    asked_ns, pid = observations.arbiter_asked_ns, observations.arbiter_pid
    if asked_ns is None or any(sent.pid == pid and sent.at_ns <= asked_ns for sent in observations.doings.ours):
        return
    sent = [
        s for s in observations.doings.sent if pid is not None and s.target in {pid, 0, -pid} and s.at_ns <= asked_ns
    ]
    if sent and _tells(observations):
        return  # the call has a sender: the app's are an entry of their own, gunicorn's are its own fault
    yield Meddling(at_ns=asked_ns, by=By.OUTSIDE, what=MEDDLED, covers=_ALL)


def _received(observations: Observations) -> Iterator[Meddling]:
    """Signals that came to a process more often than the run's own processes sent them."""
    if not _tells(observations):
        return
    seen = Counter[tuple[int, int]]()
    for event in observations.doings.received:
        seen[event.pid, event.signal] += 1
        if _count_sent(observations, event) < seen[event.pid, event.signal]:
            who = "the arbiter" if event.pid == observations.arbiter_pid else f"process {event.pid} of gunicorn"
            what = f"{who} got {_name(event.signal)}, which no process of gunicorn had sent"
            yield Meddling(at_ns=event.at_ns, by=By.OUTSIDE, what=what, covers=_ALL)
            return


def _count_sent(observations: Observations, event: SignalReceived) -> int:
    doings = observations.doings
    by_gunicorn = sum(
        sent.signal == event.signal and (sent.target == event.pid or sent.target <= 0) and sent.at_ns <= event.at_ns
        for sent in doings.sent
    )
    return by_gunicorn + sum(
        sent.signal == event.signal and sent.pid == event.pid and sent.at_ns <= event.at_ns for sent in doings.ours
    )


def _killed_workers(observations: Observations) -> Iterator[Meddling]:
    """Children of the arbiter that ended by a signal that no process of the run had sent."""
    for ended in observations.doings.ended:
        number = -ended.status
        if number not in OUTSIDERS or _is_known(observations, ended.child, number):
            continue
        if _tells(observations):
            perhaps = ", or the kernel because memory was short" if number == signal.SIGKILL else ""
            what = f"worker {ended.child} ended by {_name(number)}, which no process of gunicorn had sent{perhaps}"
            yield Meddling(at_ns=ended.at_ns, by=By.OUTSIDE, what=what, covers=_ALL)


def _killed_untraced(observations: Observations) -> Iterator[Meddling]:
    """Without the tracer it is not known who sent the signal that ended a worker, or the arbiter."""
    if observations.watchers.get("tracer") != "off":
        return
    said = ("SIGKILL", "signal 9", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR")
    for life in observations.lives:
        crash = life.crash
        if crash is not None and life.crash_ns is not None and crash != SILENT_END and any(s in crash for s in said):
            what = f"worker {life.pid} ended by a signal, and without the tracer nobody knows who sent it"
            yield Meddling(at_ns=life.crash_ns, by=By.UNKNOWN, what=what, covers=_OF_WORKERS)
            return


def _killed_arbiter(observations: Observations) -> Iterator[Meddling]:
    status, at_ns, pid = observations.arbiter_status, observations.arbiter_exit_ns, observations.arbiter_pid
    if status is None or at_ns is None or pid is None or -status not in OUTSIDERS:
        return
    if _is_known(observations, pid, -status):
        return
    if _tells(observations):
        what = f"the arbiter ended by {_name(-status)}, which no process of gunicorn had sent"
        yield Meddling(at_ns=at_ns, by=By.OUTSIDE, what=what, covers=_ALL)
    elif observations.watchers.get("tracer") == "off":
        what = f"the arbiter ended by {_name(-status)}, and without the tracer nobody knows who sent it"
        yield Meddling(at_ns=at_ns, by=By.UNKNOWN, what=what, covers=_ALL)


def _stopped(observations: Observations) -> Iterator[Meddling]:
    """Processes that were found stopped: SIGSTOP can't be caught, so the tracer does not see its arrival."""
    for stop in observations.doings.stopped:
        stops = (signal.SIGSTOP, signal.SIGTSTP)
        if any(_is_known(observations, stop.pid, number) for number in stops):
            continue
        name = stop.who if stop.who != "worker" else f"worker {stop.pid}"
        what = f"{name if stop.who == 'worker' else 'the ' + name} was stopped (SIGSTOP) during the run"
        yield Meddling(at_ns=stop.at_ns, by=By.OUTSIDE, what=what, covers=_ALL)


def _app_signals(observations: Observations) -> Iterator[Meddling]:
    arbiter = observations.arbiter_pid
    for sent in observations.doings.sent:
        if sent.signal in _HARMLESS or not _is_by_app(sent):
            continue
        to_arbiter = sent.target in {arbiter, 0} or sent.target < 0
        whom = (
            "the arbiter" if to_arbiter else "its own worker" if sent.target == sent.pid else f"process {sent.target}"
        )
        what = f"the app sent {_name(sent.signal)} to {whom} with {sent.call}"
        yield Meddling(at_ns=sent.at_ns, by=By.APP, what=what, covers=_ALL if to_arbiter else _OF_WORKERS)


def _app_exits(observations: Observations) -> Iterator[Meddling]:
    for exit_ in observations.doings.exits:
        if is_apps(frame[0] for frame in exit_.stack):
            what = f"the app ended its own worker {exit_.pid} with {exit_.call}({exit_.status})"
            yield Meddling(at_ns=exit_.at_ns, by=By.APP, what=what, covers=_OF_WORKERS)
    for closed in observations.doings.closed:
        if is_apps(frame[0] for frame in closed.stack):
            what = f"the app closed a file of gunicorn's ({closed.target}) with {closed.call}"
            yield Meddling(at_ns=closed.at_ns, by=By.APP, what=what, covers=_OF_WORKERS)


def _app_removals(observations: Observations) -> Iterator[Meddling]:
    for removal in observations.removals:
        if removal.failed is None and is_apps(frame.partition(":")[0] for frame in removal.culprit.stack):
            what = f"the app itself called {removal.culprit.call} on the socket file"
            yield Meddling(at_ns=removal.at_ns, by=By.APP, what=what, covers=_ALL)
    for call in observations.calls:
        if is_apps(frame.partition(":")[0] for frame in call.culprit.stack):
            what = f"the app itself called {call.culprit.call} on the socket file or its folder"
            yield Meddling(at_ns=call.at_ns, by=By.APP, what=what, covers=_ALL)


_FAULTS: dict[str, tuple[str, frozenset[FindingId]]] = {
    "raised": ("raised an exception ({})", _OF_CLIENTS),
    "length": ("sent {}", _OF_CLIENTS),
    "slow": ("kept a request for {}", _OF_WORKERS),
    "unfinished": ("never came to the end of a request ({})", _OF_WORKERS),
    "ended": ("ended its worker ({})", _OF_WORKERS),
    "thread": ("left a thread that keeps its worker from ending ({})", _OF_WORKERS),
}


def _app_faults(observations: Observations) -> Iterator[Meddling]:
    """The first of each kind: what follows from it may show from then on."""
    told = set[str]()
    for fault in observations.doings.app_faults:
        if fault.what in told or not _is_real(observations, fault):
            continue
        told.add(fault.what)
        words, covers = _FAULTS[fault.what]
        what = f"the app {words.format(fault.detail)} in worker {fault.pid}"
        yield Meddling(at_ns=fault.at_ns - (fault.took_ns or 0), by=By.APP, what=what, covers=covers)


def _is_real(observations: Observations, fault: AppFault) -> bool:
    """A request that the end of its worker cut off is not the app's fault."""
    if fault.what != "unfinished":
        return True
    ends = [life.ended_ns for life in observations.lives if life.pid == fault.pid]
    closed_ns = observations.phases.get("closed", fault.at_ns)
    return max((closed_ns if ns is None else ns for ns in ends), default=closed_ns) - fault.at_ns >= LASTED_NS


_LOOKS: tuple[Callable[[Observations], Iterator[Meddling]], ...] = (
    _asked_arbiter,
    _received,
    _killed_workers,
    _killed_untraced,
    _killed_arbiter,
    _stopped,
    _app_signals,
    _app_exits,
    _app_removals,
    _app_faults,
)
