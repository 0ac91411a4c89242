"""Watches the bound path with inotify on its folder: created, deleted, moved away, and as which inode."""

from __future__ import annotations

import os
import select
import threading
from pathlib import Path

from harness.core.events.servers import SocketAction, SocketChange
from harness.watch.event_log import EventSink


class SocketWatcher:
    """``prepare`` before gunicorn starts, so that not even the first bind is missed; then ``loop`` in a thread."""

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
        self._folder_gone = flags.DELETE_SELF | flags.MOVE_SELF
        self._inotify = inotify_simple.INotify()
        mask = flags.CREATE | flags.DELETE | flags.MOVED_FROM | flags.MOVED_TO | flags.DELETE_SELF | flags.MOVE_SELF
        self._inotify.add_watch(path.parent, mask)
        woken, waker = os.pipe2(os.O_CLOEXEC)
        self._woken = os.fdopen(woken, "rb", buffering=0)
        self._waker = os.fdopen(waker, "wb", buffering=0)

    def loop(self, stop: threading.Event) -> None:
        """Emit ``socket`` events until told to stop; then once more what is still queued."""
        ready = select.poll()
        for fd in (self._inotify.fileno(), self._woken.fileno()):
            ready.register(fd, select.POLLIN)
        with self._inotify, self._woken:
            while not stop.is_set():
                ready.poll()
                self._read()
            self._read()

    def wake(self) -> None:
        """Let the loop look at ``stop``: nothing else may happen for a long time."""
        self._waker.close()

    def snapshot(self) -> None:
        """Emit what the path is at this moment, whatever the events said."""
        self._sink.emit(SocketChange(action="snapshot", inode=self._inode()))

    def _read(self) -> None:
        for event in self._inotify.read(timeout=0):
            if event.mask & self._overflow:
                raise RuntimeError("the kernel's inotify queue overflowed: events are lost")
            if event.mask & self._folder_gone:
                self._sink.emit(SocketChange(action="deleted", inode=None, whole_folder=True))
            if event.name == self._path.name:
                for flag, action in self._actions:
                    if event.mask & flag:
                        inode = self._inode() if action == "created" else None
                        self._sink.emit(SocketChange(action=action, inode=inode))

    def _inode(self) -> int | None:
        try:
            return self._path.lstat().st_ino
        except FileNotFoundError:
            return None
