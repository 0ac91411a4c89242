"""The scratch folder of one run: the socket, gunicorn's HOME and what else must vanish when the run has ended."""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from harness.backends import Backend
from harness.core.errors import SurroundingsError

LONGEST_SOCKET_PATH = 107
"""Linux's sun_path holds 108 bytes, the last of them zero."""

PLAIN_PATH = re.compile(r"[A-Za-z0-9/._+@:,=~-]+")

RANDOM_BYTES = 4
"""In a scratch folder's name: one that exists already is refused by mkdir, and a socket's path must be short."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScratchFolder:
    """Where this run's short-lived files lie, outside of the record."""

    base: Path

    @property
    def socket(self) -> Path:
        """The path that gunicorn binds; its folder is open to the proxy's user."""
        return self.base / "socket" / "gunicorn.sock"

    @property
    def home(self) -> Path:
        """HOME of this run's gunicorn: recent releases keep a control socket there, which masters steal from others."""
        return self.base / "home"

    @property
    def load_ending(self) -> Path:
        """A file that tells the load to end, once it is there."""
        return self.base / "load-ending"

    @property
    def proxy(self) -> Path:
        """The proxy's own folder: its pid file and whatever else it would leave elsewhere."""
        return self.base / "proxy"


def make_scratch_folder(backend: Backend, *, longest: int = LONGEST_SOCKET_PATH) -> ScratchFolder:
    """Make a fresh folder below the temporary folder.

    Raises:
        SurroundingsError: no folder can be made there, or a socket's path in it would be too long.
    """
    scratch = ScratchFolder(base=_temporary_folder() / f"recycle-{os.urandom(RANDOM_BYTES).hex()}")
    if len(os.fsencode(scratch.socket)) > longest:
        raise SurroundingsError(
            what=f"The socket's path {scratch.socket} is longer than the {longest} bytes that Linux allows.",
            remedy="Set TMPDIR to a folder with a shorter path, such as /tmp.",
        )
    backend.adopt_folder(scratch.base)  # before it exists, so that no interruption can leave it behind
    try:
        for folder in (scratch.base, scratch.socket.parent, scratch.home, scratch.proxy):
            folder.mkdir()
            folder.chmod(0o755)  # whatever the umask: the proxy, which drops its user, has to reach the socket
    except OSError as problem:
        raise SurroundingsError(
            what=f"No temporary folder could be made in {scratch.base.parent}: {problem.strerror}.",
            remedy="Free some space there, or set TMPDIR to another folder.",
        ) from problem
    return scratch


def _temporary_folder() -> Path:
    """A folder whose path each server can read in its settings, in any quoting and locale: nginx splits at blanks."""
    try:
        folder = Path(tempfile.gettempdir()).absolute()
    except FileNotFoundError as problem:
        raise SurroundingsError(
            what=f"There is no temporary folder: {problem.strerror}.", remedy="Set TMPDIR to a folder with some space."
        ) from problem
    if not PLAIN_PATH.fullmatch(str(folder)):
        raise SurroundingsError(
            what=f"The temporary folder {str(folder)!r} has a name that not every server can have in its settings.",
            remedy="Set TMPDIR to a folder without blanks, quotes or accents in its path, such as /tmp.",
        )
    return folder
