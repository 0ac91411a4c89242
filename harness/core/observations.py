"""What was seen of a run, before anybody judges: the events of its record, put together and cut to the window.

As in ``model``, nothing here reads a file or starts a process. Times are nanoseconds of CLOCK_MONOTONIC (``*_ns``) or
seconds since the start of the load (``at_s``); they compare across the processes of one machine, never across two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING

from harness.core.frozen import dataclass
from harness.core.model import Cell, Culprit, Json

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
    exiting_ns: int | None = None  # when it logged that it exits, which may be long before it is gone

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
    ended: Sequence[ChildEnded] = ()
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
