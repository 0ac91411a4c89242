"""The scratch folder of one run: the socket, gunicorn's HOME and all else that is removed at the end of the run."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from harness.backends import Backend
from harness.core.errors import SurroundingsError
from harness.core.frozen import dataclass
from harness.core.patterns import pattern

LONGEST_SOCKET_PATH = 107
"""Linux's sun_path holds 108 bytes, the last of them zero."""

PLAIN_PATH = pattern(r"[A-Za-z0-9/._+@:,=~-]+")

RANDOM_BYTES = 4
"""Random bytes in a scratch folder's name: few, because a socket's path must be short, and mkdir refuses a name that
exists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScratchFolder:
    """The folder of this run's temporary files, outside of the record."""

    base: Path

    @property
    def socket(self) -> Path:
        """The path that gunicorn binds; its folder is open to the proxy's user."""
        return self.base / "socket" / "gunicorn.sock"

    @property
    def other_socket(self) -> Path:
        """The path to which a disturbance moves gunicorn for a while."""
        return self.socket.with_name("moved.sock")

    @property
    def home(self) -> Path:
        """HOME of this run's gunicorn: recent releases keep a control socket there, and one master takes another's."""
        return self.base / "home"

    @property
    def load_ending(self) -> Path:
        """A file whose existence tells the load to end."""
        return self.base / "load-ending"

    @property
    def proxy(self) -> Path:
        """The proxy's own folder, for its pid file and temporary files."""
        return self.base / "proxy"


def make_scratch_folder(backend: Backend, *, longest: int = LONGEST_SOCKET_PATH) -> ScratchFolder:
    """Make a fresh folder below the temporary folder.

    Raises:
        SurroundingsError: no folder can be made there, or a socket's path in it would be too long.
    """
    scratch = ScratchFolder(base=_temporary_folder() / f"recycle-{os.urandom(RANDOM_BYTES).hex()}")
    if max(len(os.fsencode(path)) for path in (scratch.socket, scratch.other_socket)) > longest:
        raise SurroundingsError(
            what=f"The socket's path {scratch.socket} is longer than the {longest} bytes that Linux allows.",
            remedy="Set TMPDIR to a folder with a shorter path, such as /tmp.",
        )
    backend.adopt_folder(scratch.base)  # before the folder exists, so that an interruption can't leave it behind
    try:
        for folder in (scratch.base, scratch.socket.parent, scratch.home, scratch.proxy):
            folder.mkdir()
            folder.chmod(0o755)  # despite the umask, because the proxy, which gives up root, has to reach the socket
    except OSError as problem:
        raise SurroundingsError(
            what=f"No temporary folder could be made in {scratch.base.parent}: {problem.strerror}.",
            remedy="Free some space there, or set TMPDIR to another folder.",
        ) from problem
    return scratch


def _temporary_folder() -> Path:
    """A folder whose path each server can read in its settings, with any quoting and locale: nginx splits at blanks."""
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
