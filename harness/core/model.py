"""The vocabulary of the project: cells, observations, findings, verdicts.

All types are frozen; the single observations are in ``events``. This module reads no file, starts no process and
imports no other package of ours, so that a stored run can be loaded and judged anywhere. Times are nanoseconds of
CLOCK_MONOTONIC (``*_ns``) or seconds since the start of the load (``at_s``); they compare across the processes of one
machine, never across two.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

from harness.core.cell_fields import Cell as Cell  # noqa: PLC0414 - a word of this vocabulary, too
from harness.core.findings import FindingId

if TYPE_CHECKING:
    from harness.core.disturbed import Disturbed
    from harness.core.events.bound_path import CallEffect, ClientRights, LiveProcesses
    from harness.core.events.clients import Answers, AnswerTimes, LoadEnded, Probe
    from harness.core.events.course import Stall
    from harness.core.events.disturbances import (
        ArbiterEnded,
        ArbiterFiles,
        HarnessDid,
        LeftProcesses,
    )
    from harness.core.events.doings import (
        AppFault,
        ChildEnded,
        FileClosed,
        HarnessSignalled,
        ProcessStopped,
        SignalReceived,
        SignalSent,
        TracedExit,
    )
    from harness.core.events.fleet import AskedAlone, Fleet
    from harness.core.events.probing import HarnessAsked, PathMoved
    from harness.core.events.recovery import RungBegan, RungEnded
    from harness.core.events.servers import SocketChange
    from harness.core.events.stop import OpenFiles, StopEnded, StopSkipped, StrayProcesses

Json: TypeAlias = bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"] | None

VERDICT_SCHEMA = 1


class Outcome(str, Enum):
    """The five verdicts of the contract."""

    HOLDS = "holds"
    VIOLATED = "violated"
    INCONCLUSIVE = "inconclusive"
    UNRUNNABLE = "unrunnable"
    ERROR = "error"


class State(str, Enum):
    """What one invariant says of one run: three-valued, because not having seen is not having held."""

    HOLDS = "holds"
    VIOLATED = "violated"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Culprit:
    """Who removed, replaced or shut the bound path: from the tracer inside gunicorn, innermost frame last."""

    pid: int
    role: str  # "arbiter", "worker" or "other"
    call: str  # "os.unlink", "os.rename", ...; where a command did it, the call that started it
    stack: tuple[str, ...]  # "gunicorn/sock.py:123 close"
    source: tuple[str, ...] = ()  # the source line of each frame, "" where it could not be read


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One broken promise, with the moment (seconds since the load began), the evidence and the culprit."""

    id: FindingId
    at_s: float | None
    detail: str
    culprit: Culprit | None = None
    evidence: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The answer of one invariant: its state, why, and what it found (only where violated)."""

    state: State
    reason: str
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """A call inside gunicorn that removed or renamed the bound path (``failed``: errno name, or None)."""

    at_ns: int
    culprit: Culprit
    failed: str | None = None
    replaces: bool | None = None  # another file was put in its place, so that it was never gone; None: not known


@dataclass(frozen=True, slots=True, kw_only=True)
class PathCall:
    """A call inside gunicorn that binds the path, changes its rights, or may let somebody else remove it."""

    at_ns: int
    culprit: Culprit
    effect: CallEffect
    paths: tuple[str, ...]
    mode: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerLife:
    """One worker process from boot to end. ``served`` counts the access-log lines that carry its pid."""

    pid: int
    booted_ns: int | None
    ended_ns: int | None  # None: alive when the window closed
    served: int
    restart_ns: int | None  # when it logged that it reached max_requests
    crash: str | None = None  # the last line of its traceback, or the signal
    crash_ns: int | None = None
    ready_ns: int | None = None  # when it logged that its app is loaded; only where the settings make it do so
    limit: int | None = None  # after how many requests it restarts, as logged then

    @property
    def announced_restart(self) -> bool:
        """Whether it logged that it reached max_requests."""
        return self.restart_ns is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Doings:
    """Who did what, in the order of its times; nothing of it in records of older versions."""

    complete: bool = False  # the tracer tells of signals
    sent: tuple[SignalSent, ...] = ()
    received: tuple[SignalReceived, ...] = ()
    ended: tuple[ChildEnded, ...] = ()
    exits: tuple[TracedExit, ...] = ()
    closed: tuple[FileClosed, ...] = ()
    stopped: tuple[ProcessStopped, ...] = ()
    ours: tuple[HarnessSignalled, ...] = ()  # what the harness itself sent
    app_faults: tuple[AppFault, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftovers:
    """What restarts left, and the ordered stop after the window; nothing of it in records of older versions."""

    open_files: tuple[OpenFiles, ...] = ()
    strays: StrayProcesses | None = None
    stop: StopEnded | None = None
    skipped: StopSkipped | None = None
    doings: Doings = field(default_factory=Doings)  # who did what after the window had been closed


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetSample:
    """How many children the arbiter had from a moment on, and how many of them were workers."""

    at_ns: int
    workers: int
    children: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Observations:
    """A run as it was seen, cut to the window that is judged (from boot to the end of the settle phase)."""

    cell: Cell
    phases: Mapping[str, int]  # name -> at_ns of its start: prepare boot control load settle closed ended
    arbiter_pid: int | None
    arbiter_exit_ns: int | None
    arbiter_status: int | None
    arbiter_stopping_ns: int | None  # it logged that it shuts down, although the harness had not asked it to
    arbiter_asked_ns: int | None = None  # another process sent it a signal (stop, reload): no evidence from then on
    proxy_exit_ns: int | None
    given_up: int  # requests sent before the first answer, and not waited for
    queue: int | None  # how many connections may wait for a worker; None where that is not known
    control_asked: int
    control_answered: int
    socket: tuple[SocketChange, ...]
    removals: tuple[Removal, ...]
    probes: Sequence[Probe]
    answers: Sequence[Answers]
    lives: tuple[WorkerLife, ...]
    live_at_end: int | None  # the most at a time in the last second
    fewest_live: int | None
    samples: tuple[FleetSample, ...] = ()  # from the load's begin on, one for each change
    fleet: Fleet | None = None  # how many workers there were before the load; older records don't tell
    asked_alone: tuple[AskedAlone, ...] = ()  # workers that served nothing, each asked by itself
    load: LoadEnded | None
    watchers: Mapping[str, str]  # name -> "stopped" (saw the whole window), "started", "died: why", "mute: why"
    proxy_errors: Mapping[str, int]  # reason in the proxy's log -> lines
    stalls: tuple[Stall, ...]  # the harness was not run: time-outs in there are the machine's fault
    foreign_share: float | None  # of all cores, used by others while the load ran
    interrupted: str | None  # the phase in which the user pressed Ctrl-C
    fault: Mapping[str, Json] | None  # why there is nothing to judge: {"outcome", "type", "what", "remedy"}
    ledger: Mapping[str, Json] | None = None  # what became of each request; see ``harness.engine.ledger``
    cut_short: bool = False  # the record was not closed: its last lines may be missing
    calls: tuple[PathCall, ...] = ()  # those that succeeded, as far as that is known
    rights: ClientRights | None = None  # as whom the clients come to the path; None in records of older versions
    processes: tuple[LiveProcesses, ...] = ()  # who was alive when something happened to the path
    short_stalls: tuple[Stall, ...] = ()  # likewise, but too short to make an answer late
    doings: Doings = field(default_factory=Doings)
    answer_times: Sequence[AnswerTimes] = ()
    control_took_ns: tuple[int, ...] = ()
    disturbances: tuple[Disturbed, ...] = ()  # by their numbers; none where workers restart by themselves alone
    harness_did: tuple[HarnessDid, ...] = ()
    told_ends: tuple[ArbiterEnded, ...] = ()
    harness_asked: tuple[HarnessAsked, ...] = ()
    moves: tuple[PathMoved, ...] = ()
    arbiter_files: tuple[ArbiterFiles, ...] = ()
    left: tuple[LeftProcesses, ...] = ()
    leftovers: Leftovers = field(default_factory=Leftovers)
    rungs: tuple[RungBegan | RungEnded, ...] = ()  # of the ladder back, after the window
    defects: tuple[str, ...] = ()  # why the record can't be believed, whatever it says


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One line of the story of a run: what happened, in seconds since the load began."""

    at_s: float
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What breaks no promise but should be known, such as errors that the app itself answered."""

    id: str
    detail: str
    evidence: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The judged run; ``verdict.json`` is its rendering. ``reasons`` say in words why it is this outcome."""

    cell: Cell
    outcome: Outcome
    reasons: tuple[str, ...]
    findings: tuple[Finding, ...] = ()
    notes: tuple[Note, ...] = ()
    invariants: Mapping[str, State] = field(default_factory=dict)
    invariant_reasons: Mapping[str, str] = field(default_factory=dict)
    counts: Mapping[str, Json] = field(default_factory=dict)
    strength: Mapping[str, Json] = field(default_factory=dict)
    timing_s: Mapping[str, float] = field(default_factory=dict)
    error: Mapping[str, Json] | None = None
    recovery: Mapping[str, Json] | None = None  # what healed a service that stayed down, see ``judge.recovery``
    scenario: Mapping[str, Json] | None = None  # what a scenario measured: {"name", "answer", "arms", "tables", ...}


CLIENT_ERRORS = ("closed", "timeout", "refused", "missing", "other")
"""How a request can end without a status: closed before the answer was whole, no answer in time, connection
refused, no such socket file, and anything else (named in the event)."""

ERROR_OF_ERRNO: Mapping[int, str] = {
    errno.ENOENT: "missing",
    errno.ECONNREFUSED: "refused",
    errno.EAGAIN: "refused",  # a Unix socket whose queue is full
    errno.ECONNRESET: "closed",
    errno.EPIPE: "closed",
}
"""Which client error a system's error is; any other one is ``other``."""


PROXY_ERRORS = ("missing", "refused", "denied", "connect", "closed", "reset", "timeout", "other", "retried")
"""Why a proxy's attempt at its upstream failed, from its own log: no such socket file, connection refused, no right to
connect, not connected (the log does not say why), closed or reset before the answer was whole, no answer in time,
anything else. ``retried`` is no failure of its own: so many attempts were made again, and the client may have noticed
nothing."""


def is_success(outcome: str) -> bool:
    """Whether an outcome (a status or a client error) is an answer of success: 2xx or 3xx."""
    return outcome[:1] in ("2", "3") and outcome.isdigit()


def is_error(outcome: str) -> bool:
    """Whether an outcome is an answer that reports an error: 4xx or 5xx."""
    return outcome[:1] in ("4", "5") and outcome.isdigit()


def is_failure(outcome: str) -> bool:
    """Whether a request failed: a 5xx answer, or none at all. 4xx is the app's own answer and neither."""
    return not outcome.isdigit() or outcome[:1] == "5"
