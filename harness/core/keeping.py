"""Keeps hold of what a command starts and makes for a while: nothing of it outlives the command, however it ends.

A small reaper process removes it if the harness is killed; a file in ``active`` lists it for ``harness clean``, in case
the reaper is killed too.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from harness.core import active, procfs, reaper
from harness.core.errors import SurroundingsError

PREFIX = "recycle-harness-"


def start_reaper(marker: str) -> subprocess.Popen[str] | None:
    """Start the reaper of what goes by this marker. None (where a test has it so): only ``active`` keeps hold."""
    return subprocess.Popen(
        reaper.render_command(marker),
        # This harness may itself be a process of a matrix, whose end must not end the reaper too.
        env={name: value for name, value in os.environ.items() if name != reaper.MARKER},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )


def own_start_ticks() -> int:
    """When this process started: whatever carries the marker of its keepers started later. See ``procfs``."""
    return procfs.start_ticks(os.getpid()) or 0


class Keeper:
    """The harness's end of a reaper. ``what``: in words; ``run``: the record, where it belongs to one run."""

    def __init__(self, marker: str, *, what: str, run: Path | None = None) -> None:
        # A run's id is unique in its folder of runs only: others of the same second may lie elsewhere.
        self.marker = f"{marker}.{os.urandom(4).hex()}"
        self._what, self._run = what, run
        self._leaders: list[tuple[int, int]] = []
        self._paths: list[str] = []
        self.users: list[int] = []
        self._active = active.file_of(self.marker)
        self._reaper = start_reaper(self.marker)
        try:
            self._note()
        except BaseException:
            self._dismiss()
            raise

    def lead(self, pid: int, start_ticks: int) -> None:
        """The process leads a group that ends with the command."""
        self._leaders.append((pid, start_ticks))
        self._tell(f"leader {pid} {start_ticks}")
        self._note()

    def own(self, user: int) -> None:
        """Nothing but the command's processes runs as this user, and ends with it."""
        if user not in self.users:
            self.users.append(user)
            self._tell(f"user {user}")
            self._note()

    def adopt(self, path: Path) -> None:
        """The file or folder goes with the command."""
        self._paths.append(str(path))
        self._tell(f"path {os.fsencode(path).hex()}")
        self._note()

    def close(self, *, sweep: bool = True) -> None:
        """End what still runs and remove what was adopted; ``sweep``: also look for processes by the marker."""
        if sweep:
            self.sweep()
        reaper.remove(self._paths)
        self._dismiss()

    def sweep(self) -> None:
        """End what carries the marker, or runs as a user of the command's own."""
        reaper.sweep(self.marker, {}, (), since_ticks=own_start_ticks(), users=self.users)

    def _dismiss(self) -> None:
        self._tell("done")
        if self._reaper is not None:
            with suppress(OSError):
                if self._reaper.stdin is not None:
                    self._reaper.stdin.close()
            self._reaper.wait(timeout=10)
        self._active.unlink(missing_ok=True)

    def _tell(self, line: str) -> None:
        channel = None if self._reaper is None else self._reaper.stdin
        if self._reaper is None or channel is None or channel.closed or self._reaper.poll() is not None:
            return  # killed from outside: ``active`` still holds everything that ``harness clean`` needs
        with suppress(BrokenPipeError):
            channel.write(line + "\n")
            channel.flush()

    def _note(self) -> None:
        content = {
            "marker": self.marker,
            "what": self._what,
            "run": None if self._run is None else str(self._run),
            "harness": [os.getpid(), procfs.start_ticks(os.getpid())],
            "leaders": self._leaders,
            "folders": self._paths,
            "users": self.users,
        }
        active.note(self._active, content)


@contextmanager
def temporary_folder(what: str) -> Iterator[Path]:
    """A fresh folder below the temporary folder, which goes at the end of the block, even if the harness is killed.

    Raises:
        SurroundingsError: no folder can be made.
    """
    keeper = Keeper(f"{PREFIX}{what.replace(' ', '-')}", what=what)
    try:
        yield _make_folder(keeper)
    finally:
        keeper.close(sweep=False)


def _make_folder(keeper: Keeper) -> Path:
    try:
        folder = Path(tempfile.gettempdir()).absolute() / f"{PREFIX}{os.urandom(6).hex()}"
        keeper.adopt(folder)  # before it exists, so that an interruption can't leave it behind
        folder.mkdir(mode=0o700)
    except OSError as problem:
        raise SurroundingsError(
            what=f"No temporary folder can be made: {problem.strerror}.",
            remedy="Set TMPDIR to a folder with some space.",
        ) from problem
    return folder
