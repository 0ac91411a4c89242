"""The events of the ordered stop, and of the looks before it at what restarts of workers have left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, TypeAlias

from harness.core.events.base import Event
from harness.core.frozen import dataclass

FoundProcess: TypeAlias = tuple[int, int, str, str]
"""Pid, parent's pid, name, and state as the letter of /proc (Z: it has ended, and its parent has not waited for it)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenFiles(Event):
    """How many files and threads gunicorn's processes have, before the load and when all has settled after it.

    Attributes:
        stage: before the load, or settled after it.
        arbiter: kind of file (socket, pipe, file, deleted file, anon_inode, ...) -> open files of the arbiter.
        arbiter_threads: its threads.
        workers: of each worker its pid, its open files and its threads.
        temporary: the paths of their temporary files that have a name.
    """

    kind: ClassVar[str] = "open-files"

    stage: Literal["before", "settled"]
    arbiter: Mapping[str, int]
    arbiter_threads: int
    workers: tuple[tuple[int, int, int], ...] = ()
    temporary: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StrayProcesses(Event):
    """When all had settled: the processes of gunicorn that belong to no living worker, and do not end.

    Attributes:
        processes: those that were there at the first look and at the last.
        waited_ns: between these two, in nanoseconds; 0 where there were none.
    """

    kind: ClassVar[str] = "strays"

    processes: tuple[FoundProcess, ...]
    waited_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StopEnded(Event):
    """The arbiter was told to end (``harness-signalled`` says when), and this is what came of it.

    Attributes:
        took_ns: until the arbiter had ended, in nanoseconds; null where it had not when nobody waited any more.
        status: its exit status; a negative one is a signal's number.
        waited_ns: how long it was waited for, in nanoseconds.
        stalled_ns: for how much of that the harness itself got no time, in nanoseconds.
        graceful_s: the graceful_timeout of the settings in seconds; left out where it is not known.
        ended: of each further process that ended its pid, and after how many nanoseconds that was seen.
        left: the processes that were still there when the arbiter had ended, and a while later.
        inode: of the file that the bound path still names; left out where there is none.
        sockets: the paths of other Unix sockets that are still there.
        files: the paths of temporary files that are still there.
        held: whether somebody had stopped the arbiter (SIGSTOP).
    """

    kind: ClassVar[str] = "stop"
    state: ClassVar[str] = "ended"

    took_ns: int | None
    status: int | None
    waited_ns: int
    stalled_ns: int
    graceful_s: float | None = None
    ended: tuple[tuple[int, int], ...] = ()
    left: tuple[FoundProcess, ...] = ()
    inode: int | None = None
    sockets: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    held: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StopSkipped(Event):
    """The arbiter was not told to end, so that nothing is said of its ordered stop.

    Attributes:
        reason: why.
    """

    kind: ClassVar[str] = "stop"
    state: ClassVar[str] = "skipped"

    reason: str
