"""Locks on what is costly to make: one builds, many use, and what is in use isn't removed.

A lease is a ``flock`` on a file beside it. The kernel drops it when the last process that holds the
file ends, however it ends, so that nothing has to be tidied after a kill. Many can share one, and a child can inherit
one, which no library's lock offers together. Nothing in here knows what is locked.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(slots=True, kw_only=True, eq=False)
class Lease:
    """An open lock until its owner calls ``close``. Not inherited, unless ``fd`` is passed on."""

    path: Path
    fd: int

    def share(self) -> None:
        """Turn an exclusive lease into a shared one. Others may get in between: look at what is locked again."""
        fcntl.flock(self.fd, fcntl.LOCK_SH)

    def close(self) -> None:
        """Give the lock back; a second call does nothing."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def take_shared(path: Path, *, on_wait: Callable[[], None]) -> Lease:
    """A shared lease: many at once. Waits while somebody builds, after ``on_wait`` was told."""
    return _take(path, fcntl.LOCK_SH, on_wait)


def take_exclusive(path: Path, *, on_wait: Callable[[], None]) -> Lease:
    """The only lease. Waits for all others, after ``on_wait`` was told."""
    return _take(path, fcntl.LOCK_EX, on_wait)


def try_exclusive(path: Path) -> Lease | None:
    """The only lease if it can be had at once, else None."""
    lease = _open(path)
    if _lock(lease, fcntl.LOCK_EX | fcntl.LOCK_NB) and _is_current(lease):
        return lease
    lease.close()
    return None


def _take(path: Path, kind: int, on_wait: Callable[[], None]) -> Lease:
    told = False
    while True:
        lease = _open(path)
        if not _lock(lease, kind | fcntl.LOCK_NB):
            if not told:
                on_wait()
                told = True
            fcntl.flock(lease.fd, kind)
        if _is_current(lease):
            return lease
        lease.close()  # whoever held it removed the file: that lock keeps nobody out any more


def _open(path: Path) -> Lease:
    path.parent.mkdir(parents=True, exist_ok=True)
    return Lease(path=path, fd=os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644))


def _lock(lease: Lease, kind: int) -> bool:
    try:
        fcntl.flock(lease.fd, kind)
    except BlockingIOError:
        return False
    return True


def _is_current(lease: Lease) -> bool:
    """Whether the locked file is still the one at its path."""
    try:
        return os.path.samestat(os.fstat(lease.fd), lease.path.stat())
    except FileNotFoundError:
        return False
