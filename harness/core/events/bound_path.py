"""The events around the bound path that are no change of it: calls that concern it, who may use it, who was alive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, TypeAlias

from harness.core.events.base import Event
from harness.core.events.servers import Frame
from harness.core.frozen import dataclass
from harness.core.model import Json

CallEffect: TypeAlias = Literal["bound", "rights", "folder-rights", "command", "symbol"]

LiveProcess: TypeAlias = tuple[int, int, str]
"""Pid, parent's pid, and name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedCall(Event):
    """A call inside gunicorn that concerns the bound path and removes nothing by itself, from the tracer.

    Attributes:
        pid: who called.
        ppid: its parent.
        call: socket.bind, os.chmod, os.chown, subprocess.Popen, ...
        effect: it binds a socket there (bound), changes the mode or the owner of the file (rights) or of a folder
            on the way to it (folder-rights), starts a command that names it or its folder (command), or looks up a C
            function that could remove it (symbol).
        failed: the name of the system's error; null where the call did what it was asked to, or where nobody knows.
        stack: the frames, innermost last: file, line, function, the line's text.
        paths: the path or folder that is meant; of a command its words, of a symbol its name.
        mode: the rights that os.chmod gives.
        role: what the process thinks that it is: arbiter, worker or other.
        thread: the name of the thread that called.
        around: the source around the innermost frames, innermost first; the number of the first line, and the lines.
    """

    kind: ClassVar[str] = "path-call"

    pid: int
    ppid: int
    call: str
    effect: CallEffect
    failed: str | None
    stack: tuple[Frame, ...]
    paths: tuple[str, ...] = ()
    mode: int | None = None
    role: str | None = None
    thread: str | None = None
    around: Sequence[Json] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRights(Event):
    """As whom the clients come to the bound path: the proxy's process with the fewest rights, else the load's own.

    Attributes:
        pid: of that process.
        uid: its effective user.
        groups: its effective group, and the further ones.
        overrides: whether it has the capability to pass over the modes of files and folders.
    """

    kind: ClassVar[str] = "client-rights"

    pid: int
    uid: int
    groups: tuple[int, ...]
    overrides: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveProcesses(Event):
    """The processes of gunicorn that lived when the bound path was seen to vanish or to change.

    Attributes:
        live: of each its pid, its parent's pid, and its name.
    """

    kind: ClassVar[str] = "processes"

    live: tuple[LiveProcess, ...]
