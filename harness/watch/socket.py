"""Watches the bound path with inotify: created, deleted, moved away, as which inode, and with which rights."""

from __future__ import annotations

import contextlib
import os
import select
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.events.servers import SocketAction, SocketChange
from harness.watch.event_log import EventSink
from harness.watch.path_state import list_family, list_processes, look_at_path, read_rights

if TYPE_CHECKING:
    from inotify_simple import INotify

MOST_LOOKS = 10
"""How often it is told who is alive: the first changes are those that matter."""


def open_inotify() -> INotify:
    """An inotify without a watch, made without a search for the C library by another process, which takes 8 ms."""
    import ctypes

    import inotify_simple

    if getattr(inotify_simple, "_libc", True) is None:
        inotify_simple._libc = ctypes.CDLL(None, use_errno=True)  # the one that this interpreter has loaded anyway
    return inotify_simple.INotify()


class SocketWatcher:
    """``prepare`` before gunicorn starts, so that not even the first bind is missed; then ``loop`` in a thread.

    The path's own folder and the one around it are watched: both are made for the run. What happens to those above is
    seen whenever something else is.
    """

    def __init__(self, path: Path, sink: EventSink) -> None:
        import inotify_simple

        self._path = path
        self._sink = sink
        flags = inotify_simple.flags
        self._actions: tuple[tuple[int, SocketAction], ...] = (
            (flags.DELETE, "deleted"),
            (flags.MOVED_FROM, "moved"),
            (flags.CREATE, "created"),
            (flags.MOVED_TO, "created"),
        )
        self._overflow = flags.Q_OVERFLOW
        self._rights = flags.ATTRIB
        self._folder_gone = flags.DELETE_SELF | flags.MOVE_SELF
        self._inotify = open_inotify()
        itself = flags.DELETE_SELF | flags.MOVE_SELF | flags.ATTRIB
        named = flags.CREATE | flags.DELETE | flags.MOVED_FROM | flags.MOVED_TO
        self._folder = self._inotify.add_watch(path.parent, named | itself)
        self._inotify.add_watch(path.parent.parent, itself)
        woken, waker = os.pipe2(os.O_CLOEXEC)
        self._woken = os.fdopen(woken, "rb", buffering=0)
        self._waker = os.fdopen(waker, "wb", buffering=0)
        self._arbiter: int | None = None
        self._looks = 0
        self._bound = False
        self._last: SocketChange | None = None
        self._held: contextlib.ExitStack | None = None
        self._holds = False

    def loop(self, stop: threading.Event) -> None:
        """Emit ``socket`` events until told to stop; then once more what is still queued."""
        ready = select.poll()
        for fd in (self._inotify.fileno(), self._woken.fileno()):
            ready.register(fd, select.POLLIN)
        with self._closing_later(), self._woken, contextlib.ExitStack() as self._held:
            while not stop.is_set():
                ready.poll()
                self._read()
            self._read()

    @contextlib.contextmanager
    def _closing_later(self) -> Iterator[None]:
        """Close inotify in the end, beside whatever else goes on: the kernel takes 8 ms for it."""
        try:
            yield
        finally:
            threading.Thread(target=self._inotify.close, daemon=True).start()

    def wake(self) -> None:
        """Let the loop look at ``stop``: it may be long until the next event in the folder."""
        self._waker.close()

    def snapshot(self) -> None:
        """Emit what the path is at this moment, whatever the events said."""
        self._sink.emit(look_at_path(self._path, "snapshot"))

    def know_arbiter(self, pid: int) -> None:
        """Whose processes are to be named when something happens."""
        self._arbiter = pid

    def meet_clients(self, pid: int) -> None:
        """The path works now: emit what it is, and as whom this process and those below it come to it."""
        rights = read_rights(pid)
        if rights is not None:
            self._sink.emit(rights)
        self.snapshot()

    def _read(self) -> None:
        for event in self._inotify.read(timeout=0):
            if event.mask & self._overflow:
                raise RuntimeError("the kernel's inotify queue overflowed: events are lost")
            if event.mask & self._folder_gone:
                self._tell_folder()
            elif event.mask & self._rights:
                self._tell_rights()
            elif event.name == self._path.name:
                for flag, action in self._actions:
                    if event.mask & flag:
                        self._tell(action)

    def _tell(self, action: SocketAction) -> None:
        """The file itself came or went; one that came and has gone again by now has no inode any more."""
        change = SocketChange(action=action, inode=None) if action != "created" else look_at_path(self._path, action)
        self._emit(change)

    def _tell_folder(self) -> None:
        """A folder around the path was moved or removed; it may also have been moved back, or another one be there."""
        change = look_at_path(self._path, "created", whole_folder=True)
        self._emit(change if change.inode is not None else replace(change, action="deleted"))

    def _tell_rights(self) -> None:
        """Told only where something differs: times change, too."""
        change, last = look_at_path(self._path, "rights"), self._last
        if change.inode is None or last is None:
            return  # it is not bound yet, or gone, which is told by another event
        if (change.mode, change.owner, change.folders) != (last.mode, last.owner, last.folders):
            self._emit(change)

    def _emit(self, change: SocketChange) -> None:
        """With who is alive, of whom those are looked at first who may be about to end."""
        arbiter = self._arbiter if self._bound and self._looks < MOST_LOOKS else None
        family = [] if arbiter is None else list_family(arbiter)
        self._sink.emit(change)
        if arbiter is not None:
            self._looks += 1
            self._sink.emit(list_processes(arbiter, family))
        self._bound = self._bound or change.action == "created"
        if change.inode is not None:
            self._last = change
            self._hold(change)

    def _hold(self, change: SocketChange) -> None:
        """Keep the first file that was bound, by a descriptor that opens nothing: its inode is never given again."""
        if self._held is None or self._holds or change.action != "created":
            return
        with contextlib.suppress(OSError):
            file = os.open(self._path, os.O_PATH | os.O_CLOEXEC | os.O_NOFOLLOW)
            self._held.callback(os.close, file)
            self._holds = True
