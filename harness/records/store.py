"""Where runs lie: makes run folders, writes into them without ever leaving half a file, and finds stored runs again.

The contract defines the layout. The content of the files is defined elsewhere (``core.cells``, ``report``).
"""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Collection
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.cells import cell_from_json
from harness.core.errors import SurroundingsError, UsageError
from harness.core.files import OPEN_TO_ALL, OWN_FILE, OWN_FOLDER, OWN_PROGRAM, replace_file
from harness.core.frozen import dataclass
from harness.core.model import Cell, Json
from harness.core.paths import expand_home
from harness.disturb import read_names

if TYPE_CHECKING:
    from harness.records.stored import StoredRun, Unpacked

LATEST = "latest"
LENT_FOLDER, LENT_FILE = 0o750, 0o640
_FULL = {errno.ENOSPC, errno.EDQUOT}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFolder:
    """A run's folder while the run is under way."""

    path: Path

    @property
    def run_id(self) -> str:
        """The folder's name: the time and the cell."""
        return self.path.name

    @property
    def logs(self) -> Path:
        """Where servers and the load write their logs."""
        return self.path / "logs"

    @property
    def config(self) -> Path:
        """Every file that was handed to a server."""
        return self.path / "config"

    def open_to_workers(self) -> None:
        """Let gunicorn's workers, if they are another user's, reach what they import and write.

        Only ``config`` may be listed: Python finds no module in a folder whose names it can't read.
        """
        for folder, mode in ((self.path, 0o711), (self.logs, 0o711), (self.config, 0o755)):
            folder.chmod(mode)

    def lend(self, uid: int, written: Collection[Path]) -> None:
        """Let the user, and the group of the same number, read ``config`` and write the files ``written`` alone.

        No name in these folders is theirs to change: root reads and writes there too, and must not be led elsewhere.
        """
        for path in (self.path, self.logs):
            os.chown(path, -1, uid)
            path.chmod(LENT_FOLDER & ~0o040)
        for path in (self.config, *self.config.rglob("*")):
            os.chown(path, -1, uid, follow_symlinks=False)
            path.chmod(LENT_FOLDER if path.is_dir() else LENT_FILE)
        for path in written:
            path.touch()
            os.chown(path, uid, uid)
            path.chmod(OWN_FILE)

    def take_back(self) -> None:
        """After the last process of that user: all of it is the owner's alone again."""
        owner = self.path.stat().st_uid, os.getegid()
        for path in (self.path, self.logs, self.config, *self.logs.iterdir(), *self.config.rglob("*")):
            os.chown(path, *owner, follow_symlinks=False)
            if not path.is_symlink():
                path.chmod(OWN_FOLDER if path.is_dir() else OWN_FILE)

    def write_json(self, name: str, data: Json) -> Path:
        """Write ``data`` as ``name`` in one step; see ``write_text``. It is on the disk when this returns."""
        text = json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        return self._write(name, text.encode("utf-8", "backslashreplace"), mode=OWN_FILE, durable=True)

    def write_text(self, name: str, text: str, *, executable: bool = False, shared: bool = False) -> Path:
        r"""Write ``text`` as ``name`` (relative to the folder) in one step: whole, or not at all.

        Only a power cut may leave it empty: a report can be rendered again, and settings are those of a run that ends
        with the power.
        Characters that UTF-8 can't hold (lone surrogates out of file names) are written as ``\udcxx``.

        Raises:
            SurroundingsError: the disk or the quota is full, or the folder can't be written to.
        """
        content = text.encode("utf-8", "backslashreplace")
        return self.write_bytes(name, content, executable=executable, shared=shared)

    def write_bytes(self, name: str, content: bytes, *, executable: bool = False, shared: bool = False) -> Path:
        """Write ``content`` as ``name``, as ``write_text`` does. ``shared``: a server of another user reads it."""
        return self._write(name, content, mode=OPEN_TO_ALL if shared else OWN_PROGRAM if executable else OWN_FILE)

    def _write(self, name: str, content: bytes, *, mode: int, durable: bool = False) -> Path:
        target = self.path / name
        try:
            replace_file(target, content, mode=mode, durable=durable)
        except OSError as problem:
            raise _cannot_write(target, problem) from problem
        return target

    def link_latest(self) -> str | None:
        """Make the link ``latest``, beside this folder, point here; warn where something else has that name."""
        link = self.path.parent / LATEST
        if not link.is_symlink() and link.exists():
            return f"{link} is not a link, so it was left alone; the run lies in {self.path}."
        fresh = link.with_name(f".{LATEST}.{os.getpid()}")
        try:
            fresh.symlink_to(self.path.name, target_is_directory=True)
            fresh.replace(link)
        except OSError as problem:
            with suppress(OSError):  # the first failure is the one to report
                fresh.unlink(missing_ok=True)
            return f"{link} could not be set ({problem.strerror}); the run lies in {self.path}."
        return None


def create_run(root: Path, cell_id: str) -> RunFolder:
    """Make ``root/<UTC time>-<cell_id>`` with ``logs`` and ``config``; two runs of one second get different names.

    Raises:
        SurroundingsError: the folder can't be made there.
    """
    name = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{cell_id}"
    try:
        root.mkdir(parents=True, exist_ok=True)
        path = _make_exclusively(root.resolve(), name)
        for folder in ("logs", "config"):
            (path / folder).mkdir(mode=OWN_FOLDER)
    except OSError as problem:
        raise _cannot_write(root / name, problem) from problem
    return RunFolder(path=path)


def load_run(path: Path) -> StoredRun:
    """The run at ``path``: its folder, a link to it, its verdict.json, or an attachment (checked and unpacked).

    Close the result, or use it in a ``with`` statement, to remove an unpacked attachment.

    Raises:
        UsageError: nothing there, not a run, not complete, damaged, or of an unknown schema.
    """
    found = expand_home(path)
    if not found.exists():
        missing = "is a link to a folder that is gone" if found.is_symlink() else "does not exist"
        raise UsageError(what=f"{path} {missing}.", remedy=_remedy(found))
    if found.is_dir():
        return _load_folder(found.resolve(), None)
    if found.name == "verdict.json":
        return _load_folder(found.resolve().parent, None)
    import zipfile  # this import costs 5 ms, and most runs are no attachments

    from harness.records.stored import Unpacked

    if not (found.is_file() and zipfile.is_zipfile(found)):
        raise UsageError(what=f"{path} is neither a run's folder nor an attachment.", remedy=_remedy(found))
    from harness.records.unpack import open_attachment

    unpacked = Unpacked()
    try:
        return _load_folder(open_attachment(found, unpacked.path), unpacked)
    except BaseException:
        unpacked.close()
        raise


def _load_folder(folder: Path, unpacked: Unpacked | None) -> StoredRun:
    from harness.records.stored import StoredRun, read_object  # with all that reads events, once there are some

    cell = read_object(folder / "cell.json")
    if cell is None:
        traces = any((folder / name).exists() for name in ("events.jsonl", "facts.json", "verdict.json", "config"))
        why = "is not complete: it has no cell.json (the run was killed at its start)" if traces else "is not a run"
        raise UsageError(what=f"{folder} {why}.", remedy=_remedy(folder))
    return StoredRun(
        path=folder,
        run_id=folder.name,
        cell=_require_known(cell_from_json(cell, where=str(folder / "cell.json")), folder),
        facts=read_object(folder / "facts.json") or {},
        verdict=read_object(folder / "verdict.json"),
        unpacked=unpacked,
    )


def _require_known(cell: Cell, folder: Path) -> Cell:
    """The cell; UsageError where its disturbances are none that this version has, so that nobody can judge them."""
    try:
        read_names(cell.disturb)
    except KeyError as problem:
        raise UsageError(
            what=f"{folder / 'cell.json'} names a disturbance that is not known here: {str(problem)[:100]}.",
            remedy="Read it with the version of the harness that wrote it (see facts.json), or a newer one.",
        ) from problem
    return cell


def _remedy(path: Path) -> str:
    latest = path / LATEST if (path / LATEST).exists() else Path("runs") / LATEST
    return f"Name a run's folder (such as {latest}), its verdict.json, or an attachment made by `harness bundle`."


def _make_exclusively(root: Path, name: str) -> Path:
    for number in count(1):
        path = root / (name if number == 1 else f"{name}-{number}")
        try:
            path.mkdir(mode=OWN_FOLDER)
        except FileExistsError:
            continue
        return path
    raise AssertionError("count() has no end")


def _cannot_write(target: Path, problem: OSError) -> SurroundingsError:
    folder = target.parent
    if problem.errno in _FULL:
        full = "The disk quota is used up" if problem.errno == errno.EDQUOT else "No space is left"
        return SurroundingsError(
            what=f"{full} in {folder}: {target.name} was not written.",
            remedy=f"Make room there (`df {folder}`, `harness clean`), or name another folder with --out.",
        )
    return SurroundingsError(
        what=f"{target} could not be written: {problem.strerror}.",
        remedy="Name a folder that you may write to with --out.",
    )
