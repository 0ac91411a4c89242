"""The lives of the workers, joined from three sources: sampled children, log lines, access-log tallies.

A child that never announced itself as a worker (a control process, a helper of the app) is nobody's recycle.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.model import WorkerLife

_CRASH_STATES = {"signalled", "failed", "timed-out"}


@dataclass(slots=True)
class _Life:
    booted_ns: int | None = None
    ended_ns: int | None = None
    last_seen_ns: int = 0
    restart_ns: int | None = None
    worker: bool = False
    crash: str | None = None
    crash_ns: int | None = None
    served: int = 0


class Lives:
    """Takes what was seen in the order in which it was recorded; ``close`` gives the lives by time of boot."""

    def __init__(self) -> None:
        self._lives: dict[int, _Life] = {}
        self._live: set[int] | None = None
        self._traceback_of: int | None = None
        self._samples: list[frozenset[int]] = []

    def see(self, at_ns: int, live: set[int]) -> None:
        """A sample: exactly these children are alive now."""
        for pid in (self._live or set()) - live:
            self._life(pid).ended_ns = at_ns
        for pid in live:
            life = self._life(pid)
            life.last_seen_ns = at_ns
            life.booted_ns = life.booted_ns or at_ns
        self._live = live
        self._samples.append(frozenset(live))

    def forget_samples(self) -> None:
        """What was sampled so far does not count for ``fewest_workers``: the workers were still booting."""
        self._samples = [frozenset(self._live)] if self._live else []

    def fewest_workers(self) -> int | None:
        """The fewest workers that lived at one time; None where nobody sampled."""
        workers = {pid for pid, life in self._lives.items() if life.worker}
        return min((len(sample & workers) for sample in self._samples), default=None)

    def read_line(self, at_ns: int, pid: int | None, state: str | None, text: str) -> None:
        """A line of the error log; the lines of a traceback carry no pid and belong to the last crash announced."""
        if pid is None:
            self._read_traceback(text)
            return
        self._traceback_of = None
        if state is None:
            return
        life = self._life(pid)
        life.last_seen_ns = max(at_ns, life.last_seen_ns)
        if state == "booted":
            life.worker = True
            life.booted_ns = life.booted_ns or at_ns
        elif state == "restarting":
            life.restart_ns = life.restart_ns or at_ns
        elif state == "crashed":
            self._crash(life, at_ns, "unhandled exception")
            self._traceback_of = pid
        elif state in _CRASH_STATES:
            self._crash(life, at_ns, text.partition("] [")[2].partition("] ")[2].partition("] ")[2] or text)

    def count(self, pid: int, served: int) -> None:
        """``served`` more answers of this worker stand in the access log."""
        life = self._life(pid)
        life.served += served
        life.worker = True

    def live_workers(self) -> int | None:
        """Workers alive in the last sample; None where nobody sampled."""
        if self._live is None:
            return None
        return sum(self._lives[pid].worker for pid in self._live)

    def close(self) -> tuple[WorkerLife, ...]:
        """All workers, by time of boot. One that no sample caught alive ended when it was last heard of."""
        live = self._live or set()
        for pid, life in self._lives.items():
            if pid not in live and life.ended_ns is None and self._live is not None:
                life.ended_ns = life.last_seen_ns
        workers = [(pid, life) for pid, life in self._lives.items() if life.worker]
        workers.sort(key=lambda item: (item[1].booted_ns or item[1].last_seen_ns, item[0]))
        return tuple(
            WorkerLife(
                pid=pid,
                booted_ns=life.booted_ns,
                ended_ns=life.ended_ns,
                served=life.served,
                restart_ns=life.restart_ns,
                crash=life.crash,
                crash_ns=life.crash_ns,
            )
            for pid, life in workers
        )

    def _life(self, pid: int) -> _Life:
        return self._lives.setdefault(pid, _Life())

    def _crash(self, life: _Life, at_ns: int, why: str) -> None:
        if life.crash is None:
            life.crash, life.crash_ns = why, at_ns

    def _read_traceback(self, text: str) -> None:
        if self._traceback_of is not None and text.strip() and not text.startswith((" ", "Traceback")):
            self._lives[self._traceback_of].crash = text.strip()
