"""The events of the servers: their processes, the bound path, and what their logs say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal, TypeAlias

from harness.core.events.base import Event
from harness.core.frozen import dataclass
from harness.core.model import Json

SocketAction: TypeAlias = Literal["created", "deleted", "moved", "rights", "snapshot"]

Frame: TypeAlias = tuple[str, int | None, str, str]
"""File, line, function, and the line's text ("" where it could not be read)."""

Folder: TypeAlias = tuple[str, int, int, int]
"""Path, mode, user and group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArbiterStarted(Event):
    """Gunicorn was started.

    Attributes:
        pid: the pid of its arbiter.
        role: what it is beside another one: "new master" (it came by USR2) or "second master" (on the same path); left
            out where it is the only one.
    """

    kind: ClassVar[str] = "arbiter"
    state: ClassVar[str] = "started"

    pid: int
    role: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArbiterExited(Event):
    """The arbiter was found to have ended although the harness had not asked it to.

    Attributes:
        pid: the pid of the arbiter.
        status: its exit status; a negative one is a signal's number.
    """

    kind: ClassVar[str] = "arbiter"
    state: ClassVar[str] = "exited"

    pid: int | None = None
    status: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyExited(Event):
    """The proxy was found to have ended in mid-run.

    Attributes:
        pid: the pid of the proxy.
        status: its exit status; a negative one is a signal's number.
    """

    kind: ClassVar[str] = "proxy"
    state: ClassVar[str] = "exited"

    pid: int | None = None
    status: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketChange(Event):
    """The bound path changed, as inotify tells it, or what it was when it was known to work and when the watch ended.

    Attributes:
        action: what happened to it; rights: another mode or owner, of the file or of a folder of it; snapshot: nothing.
        inode: of the file that the path names now; null where there is none, or where nobody looked.
        whole_folder: true where it happened to a folder around it.
        mode: of the file, with its type.
        owner: user and group of the file.
        folders: of each folder on the way to it, outermost first, its path, mode, user and group.
    """

    kind: ClassVar[str] = "socket"

    action: SocketAction
    inode: int | None
    whole_folder: bool | None = None
    mode: int | None = None
    owner: tuple[int, int] | None = None
    folders: tuple[Folder, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedRemoval(Event):
    """A call inside gunicorn that removed or renamed the bound path, from the tracer.

    Attributes:
        pid: the pid of the calling process.
        ppid: the pid of its parent.
        call: os.unlink, os.rename, ...
        failed: the name of the system's error; null where the call succeeded.
        stack: the frames, innermost last: file, line, function, the line's text.
        effect: whether the path was to go, alone or with a folder of it, or to name another file.
        paths: the arguments of the call.
        role: what the process takes itself for: arbiter, worker or other.
        thread: the name of the thread that called.
        around: the source around the innermost frames, innermost first; the number of the first line, and the lines.
    """

    kind: ClassVar[str] = "removal"

    pid: int
    ppid: int
    call: str
    failed: str | None
    stack: tuple[Frame, ...]
    effect: Literal["removed", "replaced"] | None = None
    paths: tuple[str, ...] = ()
    role: str | None = None
    thread: str | None = None
    around: Sequence[Json] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TracerLoaded(Event):
    """A process has loaded the tracer; what it forks inherits it.

    Attributes:
        pid: of the process.
        ppid: its parent.
        python: the version of its interpreter.
        signals: whether it tells of signals, too; left out in records of older versions, where it did not.
    """

    kind: ClassVar[str] = "tracer"

    pid: int
    ppid: int | None = None
    python: str | None = None
    signals: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TracerProblem(Event):
    """The tracer failed, so that it may have missed a call.

    Attributes:
        text: the error.
        pid: of the process in which it failed.
        ppid: its parent.
    """

    kind: ClassVar[str] = "tracer-problem"

    text: str
    pid: int | None = None
    ppid: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveWorkers(Event):
    """The arbiter's live children: whenever they change, and once at the end.

    Attributes:
        live: the pid of each, and the time of its start in clock ticks since the machine's boot.
        final: whether the watch ends here.
    """

    kind: ClassVar[str] = "workers"

    live: tuple[tuple[int, int], ...]
    final: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GunicornLine(Event):
    """A line of gunicorn's error log; the event's time is when it was read.

    Attributes:
        text: the line; a long one is cut off.
        pid: of the process that it is about; null where the line has none.
        state: what it says of that process (booted, ready, restarting, exiting, ...); null where that is nothing.
        level: of the message; null where the line has none.
    """

    kind: ClassVar[str] = "log"

    text: str
    pid: int | None
    state: str | None
    level: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Served(Event):
    """A piece of gunicorn's access log: how many requests each worker has served since the piece before.

    Attributes:
        by_pid: status -> requests, by the worker's pid.
    """

    kind: ClassVar[str] = "served"

    by_pid: Mapping[int, Mapping[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxied(Event):
    """A piece of the proxy's access log: how many requests it has answered since the piece before.

    Attributes:
        statuses: status -> requests.
    """

    kind: ClassVar[str] = "proxied"

    statuses: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyErrors(Event):
    """A piece of the proxy's log: how many attempts at gunicorn have failed since the piece before.

    Attributes:
        reasons: why -> attempts: missing, refused, denied, connect, closed, reset, timeout, other, retried.
    """

    kind: ClassVar[str] = "proxy_errors"

    reasons: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class MemorySample(Event):
    """The memory of the arbiter and of all below it, at the middle of the sample.

    Attributes:
        own_bytes: the proportional set size without the pages of files, by pid.
        unshared_bytes: what all would have if nothing that they may write were shared.
        file_bytes: the pages of files of all.
    """

    kind: ClassVar[str] = "memory"

    own_bytes: Mapping[int, int]
    unshared_bytes: int
    file_bytes: int
