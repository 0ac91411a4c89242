"""Copies files into a run's volumes and out of them, as the engine's archives; no folder of this machine is shared.

A file that was copied once is never written again: a file that is being replaced is missing for a moment, and a worker
that boots in that moment can't import its app.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from harness.backends.docker import connection

if TYPE_CHECKING:
    from docker import APIClient

PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """A folder to be made in a volume. ``owner``: a user id of the container."""

    name: str
    owner: int = 0
    mode: int = 0o755


@dataclass(slots=True, kw_only=True)
class Porter:
    """Copies files through one container, which has the volumes mounted."""

    api: APIClient
    container: str
    delivered: dict[Path, bytes | None] = field(default_factory=dict)  # None: a folder

    def make(self, place: Path, folders: Sequence[Folder]) -> None:
        """Make folders in a volume that is mounted at ``place``."""
        self.api.put_archive(self.container, str(place), pack(folders, {}))

    def deliver(self, place: Path, folder: Path) -> None:
        """Copy the new files in ``folder`` (below ``place``) to the same path there: owned by root, readable by all."""
        folders, files = self.select(place, folder)
        if folders or files:
            self.api.put_archive(self.container, str(place), pack(folders, files))

    def select(self, place: Path, folder: Path) -> tuple[list[Folder], dict[str, bytes]]:
        """The files that were not copied yet or have changed since; they count as copied afterwards."""
        folders: list[Folder] = []
        files: dict[str, bytes] = {}
        for path in sorted(folder.rglob("*")):
            content = None if path.is_dir() else path.read_bytes()
            if path in self.delivered and self.delivered[path] == content:
                continue
            self.delivered[path] = content
            name = str(path.relative_to(place))
            if content is None:
                folders.append(Folder(name=name))
            else:
                files[name] = content
        return folders, files

    def fetch(self, path: Path) -> None:
        """Copy a file, or a folder with its files, to the same path here; do nothing where it doesn't exist."""
        import docker.errors

        with connection.speaking(f"{path} could not be fetched from its container"):
            try:
                pieces, _ = self.api.get_archive(self.container, str(path))
            except docker.errors.NotFound:
                return
            with tarfile.open(fileobj=Pieces(pieces), mode="r|") as archive:
                unpack(archive, path.parent)


def pack(folders: Sequence[Folder], files: Mapping[str, bytes]) -> bytes:
    """A tar archive of these files; folders come first."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for folder in folders:
            member = tarfile.TarInfo(folder.name)
            member.type, member.mode, member.uid, member.gid = tarfile.DIRTYPE, folder.mode, folder.owner, folder.owner
            archive.addfile(member)
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o644
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def unpack(archive: tarfile.TarFile, folder: Path) -> None:
    """Unpack plain files below ``folder``, except those with a leading dot, by which launcher and observer talk."""
    for member in archive:
        name = Path(member.name)
        if not member.isfile() or ".." in name.parts or name.is_absolute() or name.name.startswith("."):
            continue
        source = archive.extractfile(member)
        if source is not None:
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file:
                while piece := source.read(PIECE_BYTES):
                    file.write(piece)


class Pieces(io.RawIOBase):
    """Makes an iterator of bytes a file to read from."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._rest = b""

    def readable(self) -> bool:
        """Always true, where the base class says false."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Read at most ``size`` bytes; b"" at the end."""
        while size < 0 or len(self._rest) < size:
            piece = next(self._pieces, None)
            if piece is None:
                break
            self._rest += piece
        size = len(self._rest) if size < 0 else size
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken
