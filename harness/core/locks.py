"""Locks for environments and images: one process builds, many use, and what is in use isn't removed.

A lease is a ``flock`` on a file beside the locked thing. The kernel releases it when the last process that holds the
file ends, however it ends, so that nothing has to be cleaned up after a kill. Several processes can share a lease, and
a child can inherit one, which no library's lock offers together.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.core.signals import pause

POLL_S = 0.05


@dataclass(slots=True, kw_only=True, eq=False)
class Lease:
    """A lock that is held until its owner calls ``close``. A child inherits it only if it gets ``fd``."""

    path: Path
    fd: int

    def share(self) -> None:
        """Turn an exclusive lease into a shared one. Another process may hold it in between: check the thing again."""
        fcntl.flock(self.fd, fcntl.LOCK_SH)

    def close(self) -> None:
        """Release the lock; a second call does nothing."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def take_shared(path: Path, *, on_wait: Callable[[], None]) -> Lease:
    """Take a shared lease, which many can hold at once. If another process builds, call ``on_wait`` and wait."""
    return _take(path, fcntl.LOCK_SH, on_wait)


def take_exclusive(path: Path, *, on_wait: Callable[[], None]) -> Lease:
    """Take the exclusive lease. If there are other leases, call ``on_wait`` and wait for their end."""
    return _take(path, fcntl.LOCK_EX, on_wait)


def try_exclusive(path: Path) -> Lease | None:
    """Take the exclusive lease if that is possible at once; else return None."""
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
            _await(lease, kind)
        if _is_current(lease):
            return lease
        lease.close()  # the holder removed the file, so this lock excludes no other process any more


def _await(lease: Lease, kind: int) -> None:
    """Ask again and again, so that Ctrl-C ends the wait."""
    try:
        while not _lock(lease, kind | fcntl.LOCK_NB):
            pause(POLL_S)
    except BaseException:
        lease.close()
        raise


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
