"""The events of disturbances: what the harness itself does to the service, and what it awaits of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from harness.core.events.base import Event
from harness.core.frozen import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DisturbanceBegan(Event):
    """The harness begins to disturb the service; what clients may lose by it is lost from now on.

    Attributes:
        name: which disturbance.
        number: which one of this run, counted from 1.
        of: how many there are to be in this run.
        seed: what the times of all disturbances of this run are drawn from.
        aim: the moment that was aimed at; left out where none was.
        offset_ns: how long after that moment it was to begin, in nanoseconds.
    """

    kind: ClassVar[str] = "disturbance"
    state: ClassVar[str] = "began"

    name: str
    number: int
    of: int
    seed: int
    aim: str | None = None
    offset_ns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DisturbanceEnded(Event):
    """All that gunicorn had to do for a disturbance is done; or it was not done in time, and the run gives up.

    Attributes:
        name: which disturbance.
        number: which one of this run, counted from 1.
        missing: what did not come about; left out where all did.
        within_s: for how long that was awaited, in seconds.
        detail: what was seen instead, in a few words.
        left_down: true where the repair is left to the ladder back, so that what clients lose goes on.
    """

    kind: ClassVar[str] = "disturbance"
    state: ClassVar[str] = "ended"

    name: str
    number: int
    missing: str | None = None
    within_s: float | None = None
    detail: str | None = None
    left_down: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArbiterFiles(Event):
    """What an arbiter holds open, before the first disturbance and after each.

    Attributes:
        pid: the pid of the arbiter.
        files: how many of each kind: socket, pipe, file, other.
        threads: how many it has.
    """

    kind: ClassVar[str] = "arbiter-files"

    pid: int
    files: Mapping[str, int]
    threads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HarnessDid(Event):
    """The harness does something else to the run than to send a signal: its own doing, never interference.

    Attributes:
        what: it starts a process, removes the bound path, writes the settings anew, or sends a request of its own.
        detail: in a few words.
        pid: of the process that it starts; left out for the others.
    """

    kind: ClassVar[str] = "harness-did"

    what: Literal["start", "remove", "write", "ask"]
    detail: str
    pid: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArbiterEnded(Event):
    """An arbiter has ended after the harness had told it to, in the middle of a run.

    Attributes:
        pid: the pid of the arbiter.
        took_ns: since it was told, in nanoseconds.
        status: its exit status, a negative one is a signal's number; left out where nobody knows it.
        path: the inode of the file that the bound path names then; left out where there is none.
    """

    kind: ClassVar[str] = "arbiter"
    state: ClassVar[str] = "ended"

    pid: int
    took_ns: int
    status: int | None = None
    path: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftProcesses(Event):
    """Processes of an arbiter that has ended, and which of them live on.

    Attributes:
        arbiter: the pid of the arbiter.
        live: the pids that live on.
        after_ns: since the arbiter's end, in nanoseconds.
    """

    kind: ClassVar[str] = "left-processes"

    arbiter: int
    live: tuple[int, ...]
    after_ns: int
