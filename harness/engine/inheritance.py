"""A listener that gunicorn inherits: bound before gunicorn starts, and held here as a service manager holds it."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from pathlib import Path

from harness.backends import Command
from harness.core.errors import SurroundingsError
from harness.core.paths import fixtures_dir
from harness.records.store import RunFolder
from harness.stack.gunicorn import BACKLOG

OPEN_MODE = 0o777
"""As gunicorn leaves a socket with the umask of the report: the proxy comes as another user."""


def open_listener(path: Path) -> socket.socket:
    """A Unix socket that listens on this path, as long as this process or one that inherits it lives.

    Raises:
        SurroundingsError: it can't be bound.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(os.fspath(path))
        path.chmod(OPEN_MODE)
        listener.listen(BACKLOG)
    except OSError as problem:
        listener.close()
        raise SurroundingsError(
            what=f"The listener that gunicorn is to inherit can't be bound on {path}: {problem.strerror}.",
            remedy="Set TMPDIR to a folder on a file system that holds sockets.",
        ) from problem
    return listener


def inherit(command: Command, listener: socket.socket, folder: RunFolder) -> Command:
    """The command, started by way of a small program that hands the listener over; see ``fixtures/activation.py``."""
    folder.write_text("config/activation.py", (fixtures_dir() / "activation.py").read_text())
    program, *_ = command.argv
    # Without the tracer, which -S keeps out: it would tell of descriptors that gunicorn never had.
    argv = [program, "-S", str(folder.config / "activation.py"), str(listener.fileno()), *command.argv]
    return replace(command, argv=argv, inherited=(listener.fileno(),))
