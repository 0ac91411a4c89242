"""Writes files in one step: a reader, or a crash, sees the old content or the new one, never a part."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

OPEN_TO_ALL = 0o644
OWN_FILE, OWN_PROGRAM, OWN_FOLDER = 0o600, 0o700, 0o700
"""What may hold what a server printed, or a user's settings: for its owner alone."""


def open_own(path: str, flags: int) -> int:
    """An ``opener`` for ``open``: a file that it makes is for its owner alone."""
    return os.open(path, flags | os.O_CLOEXEC, OWN_FILE)


def is_file(path: Path) -> bool:
    """Whether there is a regular file of that name; a command line may be too long to be anything's name."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def open_regular(path: Path) -> BinaryIO:
    """Open a file for reading if it is a regular one: opening a FIFO would wait for ever.

    Raises:
        OSError: it is none, or can't be opened.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "Not a regular file", str(path))
    return os.fdopen(handle, "rb")


def replace_file(target: Path, content: bytes | str, *, mode: int = OPEN_TO_ALL, durable: bool = False) -> None:
    """Write ``content`` (text as UTF-8) to ``target`` in one step; see ``replacing_file``."""
    with replacing_file(target, mode=mode, durable=durable) as stream:
        stream.write(content.encode() if isinstance(content, str) else content)


@contextmanager
def replacing_file(
    target: Path, *, mode: int = OPEN_TO_ALL, durable: bool = False, adopt: Callable[[Path], None] | None = None
) -> Iterator[BinaryIO]:
    """A stream whose content replaces ``target`` at the end of the block, unless the block fails.

    ``adopt`` gets the path of the unfinished file, which a kill leaves behind.
    ``durable``: the content is on the disk before it gets the name, so that a power cut leaves no empty file.

    Raises:
        OSError: the folder can't be written to.
    """
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".tmp")
    beside = Path(name)
    try:
        if adopt is not None:
            adopt(beside)
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fchmod(stream.fileno(), mode)
            if durable:
                os.fsync(stream.fileno())
        beside.replace(target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
