"""The lives of the workers, joined from three sources: sampled children, log lines, access-log tallies.

A child that never announced itself as a worker (a control process, a helper of the app) is no worker's recycle.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.core.observations import FleetSample, WorkerLife
from harness.core.patterns import pattern
from harness.judge.fleet_samples import FleetSamples
from harness.stack.gunicorn import parse_limit

_CRASH_STATES = {"signalled", "failed", "timed-out"}

TIMED_OUT = "WORKER TIMEOUT"
"""How the crash of a worker begins that the arbiter found silent for too long."""

LATE_NS = 1_000_000_000
"""gunicorn looks at least once a second whether a worker is missing."""

SILENT_END = "a signal (it ended without a word in the log)"
"""The crash of a worker of which the arbiter says nothing: releases before 20.1 don't log how their workers end."""

UNNAMED = "unhandled exception"
_HEAD = pattern(r"^.*?\[\d+\] \[[A-Z]+\] ")
_EXCEPTION = pattern(r"^[A-Za-z_][\w.]*(?::|$)")


def is_text_read(pid: int | None, state: str | None) -> bool:
    """Whether the words of a log line with this pid and state say anything that these do not."""
    return pid is None or state in {"ready", "crashed", *_CRASH_STATES}


@dataclass(slots=True)
class _Life:
    pid: int
    start_ticks: int | None = None
    booted_ns: int | None = None
    ended_ns: int | None = None
    last_seen_ns: int = 0
    restart_ns: int | None = None
    worker: bool = False
    said_boot: bool = False
    said_exit: bool = False
    crash: str | None = None
    crash_ns: int | None = None
    served: int = 0
    ready_ns: int | None = None
    limit: int | None = None
    exiting_ns: int | None = None


class Lives:
    """Takes what was seen in the order in which it was recorded; ``close`` gives the lives by time of boot."""

    def __init__(self) -> None:
        self._lives: dict[int, _Life] = {}
        self._past: list[_Life] = []
        self._live: set[int] | None = None
        self._sampled_ns = 0
        self._traceback_of: _Life | None = None
        self._samples = FleetSamples()

    def see(self, at_ns: int, live: Mapping[int, int]) -> None:
        """A sample: exactly these children are alive now; pid -> start time in clock ticks."""
        self._sampled_ns = at_ns
        for pid in (self._live or set()) - live.keys():
            self._life(pid).ended_ns = at_ns
        for pid, start_ticks in live.items():
            life = self._meet(pid, start_ticks, at_ns)
            life.last_seen_ns = at_ns
            life.booted_ns = life.booted_ns or at_ns
        self._samples.append(at_ns, came=live.keys() - (self._live or set()), went=(self._live or set()) - live.keys())
        self._live = set(live)

    def _meet(self, pid: int, start_ticks: int, at_ns: int) -> _Life:
        """The life of a live child; one that an earlier sample missed has not ended, whatever that said."""
        life = self._life(pid)
        if life.start_ticks not in {None, start_ticks}:
            life = self._renew(pid, at_ns)
        life.start_ticks, life.ended_ns = start_ticks, None
        return life

    def forget_samples(self) -> None:
        """What was sampled so far does not count for ``fewest_workers``: the workers were still booting."""
        self._samples = FleetSamples()
        if self._live:
            self._samples.append(self._sampled_ns, came=self._live, went=())

    def fewest_workers(self) -> int | None:
        """The fewest workers that lived at one time; None where there are no samples."""
        return min((sample.workers for sample in self._samples.replay(self._workers())), default=None)

    def list_samples(self) -> tuple[FleetSample, ...]:
        """The samples that count, by time."""
        return tuple(self._samples.replay(self._workers()))

    def _workers(self) -> set[int]:
        return {life.pid for life in [*self._past, *self._lives.values()] if life.worker}

    def read_line(self, at_ns: int, pid: int | None, state: str | None, text: str) -> None:
        """A line of the error log; the lines of a traceback carry no pid and belong to the last crash announced."""
        if pid is None:
            self._read_traceback(text)
            return
        self._traceback_of = None
        if state is None:
            return
        life = self._life(pid)
        if state == "booted" and life.said_boot:  # each process says it once, and it may be read late
            life = self._renew(pid, at_ns)
        life.last_seen_ns = max(at_ns, life.last_seen_ns)
        if state == "booted":
            life.worker = life.said_boot = True
            life.booted_ns = life.booted_ns or at_ns
        elif state == "ready":
            life.worker = True
            life.ready_ns, life.limit = life.ready_ns or at_ns, parse_limit(text)
        elif state == "restarting":
            life.restart_ns = life.restart_ns or at_ns
        elif state in {"exiting", "terminated"}:
            life.said_exit = True
            life.exiting_ns = life.exiting_ns or at_ns
        elif state == "crashed":
            self._crash(life, at_ns, UNNAMED)
            self._traceback_of = life if life.crash == UNNAMED else None
        elif state in _CRASH_STATES:
            self._crash(life, at_ns, _HEAD.sub("", text))

    def count(self, at_ns: int, pid: int, served: int) -> None:
        """``served`` more answers of this worker stand in the access log."""
        life = self._life(pid)
        life.served += served
        life.worker = True
        life.last_seen_ns = max(at_ns, life.last_seen_ns)

    def live_workers(self) -> int | None:
        """The most workers that lived at one time in the last LATE_NS; None where there are no samples.

        A worker that ends in the very last moment has not had the time to be replaced.
        """
        if self._live is None:
            return None
        late_ns, before, late = self._sampled_ns - LATE_NS, 0, 0
        for sample in self._samples.replay(self._workers()):
            if sample.at_ns < late_ns:
                before = sample.workers
            else:
                late = max(late, sample.workers)
        return max(before, late)

    def is_mute(self, limit: int | None) -> bool:
        """Whether the log keeps silent about workers that boot, end, or have served their ``limit`` (None: no such).

        An app that sets up logging for itself switches off the loggers that exist already, unless it says otherwise.
        """
        workers = [life for life in [*self._past, *self._lives.values()] if life.worker]
        if any(life.said_exit or life.restart_ns is not None for life in workers):
            return False
        ended = [life for life in workers if life.ended_ns is not None]
        if not any(life.served for life in workers):
            return bool(ended) or bool(self._live and not workers)
        told = any(life.said_boot for life in workers)
        return not told or any(limit is not None and life.served >= limit for life in ended)

    def are_ends_known(self, statuses: Mapping[int, int]) -> bool:
        """Whether the arbiter was seen to get the exit status of each worker that ended: no line needs to say it."""
        ended = [life for life in [*self._past, *self._lives.values()] if life.worker and life.ended_ns is not None]
        return bool(ended) and all(life.pid in statuses for life in ended)

    def close(self, *, log_complete: bool, statuses: Mapping[int, int] | None = None) -> tuple[WorkerLife, ...]:
        """All workers, by time of boot. ``log_complete``: the log was read to its end, so silence says something.

        ``statuses``: the exit statuses that the arbiter was seen to get, which say more than silence does.
        """
        workers = [life for life in [*self._past, *self._lives.values()] if life.worker]
        for life in workers:
            self._end(life, log_complete=log_complete, status=(statuses or {}).get(life.pid))
        workers.sort(key=lambda life: (life.booted_ns or life.last_seen_ns, life.pid))
        return tuple(
            WorkerLife(
                pid=life.pid,
                booted_ns=life.booted_ns,
                ended_ns=life.ended_ns,
                served=life.served,
                restart_ns=life.restart_ns,
                crash=life.crash,
                crash_ns=life.crash_ns,
                ready_ns=life.ready_ns,
                limit=life.limit,
                exiting_ns=life.exiting_ns,
            )
            for life in workers
        )

    def _end(self, life: _Life, *, log_complete: bool, status: int | None) -> None:
        """One that no sample caught alive ended when it was last heard of, unless it booted after the last sample."""
        live = self._live or set()
        if life.ended_ns is None and life.pid not in live and life.last_seen_ns < self._sampled_ns:
            life.ended_ns = life.last_seen_ns
        if log_complete and life.ended_ns is not None and not life.said_exit and status != 0:
            self._crash(life, life.ended_ns, SILENT_END)

    def _life(self, pid: int) -> _Life:
        return self._lives.setdefault(pid, _Life(pid=pid))

    def _renew(self, pid: int, at_ns: int) -> _Life:
        """Another process has got the pid of one that has ended by then."""
        before = self._lives.pop(pid)
        before.ended_ns = before.ended_ns or at_ns
        self._past.append(before)
        return self._life(pid)

    def _crash(self, life: _Life, at_ns: int, why: str) -> None:
        if life.crash is None:
            life.crash, life.crash_ns = why, at_ns

    def _read_traceback(self, text: str) -> None:
        """The first line after the frames names the exception; what follows may be the rest of its message.

        A further traceback in the same log record is that of the exception which counts.
        """
        life = self._traceback_of
        if life is None:
            return
        if text.startswith("Traceback"):
            life.crash = UNNAMED
        elif life.crash == UNNAMED and _EXCEPTION.match(text):
            life.crash = text.strip()
