"""The events that tell whose doing something was: signals, ends, closed files, stops, and what the app did wrong."""

from __future__ import annotations

from typing import ClassVar, Literal

from harness.core.events.base import Event
from harness.core.events.servers import Frame
from harness.core.frozen import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalSent(Event):
    """A process of gunicorn is about to send a signal, from the tracer.

    Attributes:
        pid: who sends it.
        ppid: its parent.
        call: os.kill, os.killpg, os.abort, ...
        target: the pid that it goes to; below zero a process group, 0 the sender's own.
        signal: its number.
        stack: the frames, innermost last: file, line, function, the line's text.
    """

    kind: ClassVar[str] = "signal-sent"

    pid: int
    ppid: int
    call: str
    target: int
    signal: int
    stack: tuple[Frame, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalReceived(Event):
    """A handler of gunicorn was called for a signal, from the tracer.

    Attributes:
        pid: who got it.
        ppid: its parent.
        signal: its number.
    """

    kind: ClassVar[str] = "signal-received"

    pid: int
    ppid: int
    signal: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildEnded(Event):
    """A process of gunicorn has waited for a child, from the tracer.

    Attributes:
        pid: of the parent.
        ppid: the parent's own parent.
        child: the pid of the one that has ended.
        status: its exit status; below zero it is a signal's number.
    """

    kind: ClassVar[str] = "child-ended"

    pid: int
    ppid: int
    child: int
    status: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedExit(Event):
    """A process of gunicorn is about to end at once, without clean-up, from the tracer.

    Attributes:
        pid: who ends.
        ppid: its parent.
        call: os._exit.
        status: its exit status.
        stack: the frames, innermost last: file, line, function, the line's text.
    """

    kind: ClassVar[str] = "exit"

    pid: int
    ppid: int
    call: str
    status: int
    stack: tuple[Frame, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileClosed(Event):
    """A process of gunicorn closes a socket, or a worker's sign of life, by its number; from the tracer.

    Attributes:
        pid: who closes it.
        ppid: its parent.
        call: os.close or os.closerange.
        target: what is closed, as the system names it.
        stack: the frames, innermost last: file, line, function, the line's text.
    """

    kind: ClassVar[str] = "file-closed"

    pid: int
    ppid: int
    call: str
    target: str
    stack: tuple[Frame, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessStopped(Event):
    """A process of the run was found stopped (state T of /proc): it is given no time until somebody continues it.

    Attributes:
        who: arbiter, worker, proxy or load.
        pid: of the process.
    """

    kind: ClassVar[str] = "stopped"

    who: Literal["arbiter", "worker", "proxy", "load"]
    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HarnessSignalled(Event):
    """The harness is about to send a signal to a process of the run: its own doing, never interference.

    Attributes:
        who: arbiter, worker or proxy.
        pid: of the process, as its watchers see it.
        signal: its number.
        reason: what it is for, in a few words.
    """

    kind: ClassVar[str] = "harness-signalled"

    who: Literal["arbiter", "worker", "proxy"]
    pid: int
    signal: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AppFault(Event):
    """The user's app did what clients take for a failure, from the wrapper around it.

    Attributes:
        pid: of the worker.
        what: raised (an exception), ended (one that ends the worker, such as SystemExit), length (its body is not as
            long as its header says), slow (it took a second or more), unfinished (it never came to an end) or thread
            (it left a thread that keeps the worker from ending).
        detail: the exception, both lengths, or the thread's name.
        count: how often, since the fault before of the same kind in this worker.
        took_ns: for how long the app had the request, in nanoseconds; left out where it is not known.
    """

    kind: ClassVar[str] = "app-fault"

    pid: int
    what: Literal["raised", "ended", "length", "slow", "unfinished", "thread"]
    detail: str
    count: int = 1
    took_ns: int | None = None
