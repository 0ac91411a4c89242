"""Opens an attachment from another person: nothing in it is trusted, nothing is written outside of its folder.

Only archives that ``report.attachment`` could have written are accepted; any other is refused with the entry's name.
The limits apply to the bytes that are really unpacked, whatever the headers claim.
"""

from __future__ import annotations

import hashlib
import shutil
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import SurroundingsError, UsageError
from harness.core.patterns import pattern

CHECKSUMS = "SHA256SUMS"
MOST_ENTRIES = 2000
MOST_BYTES = 2 * 2**30
MOST_RATIO = 100
RATIO_FREE_BYTES = 64 * 2**20
"""Smaller archives may have any ratio: a cut log of one repeated line shrinks 500-fold, and is harmless."""

_MOST_DIRECTORY_BYTES = 2 * 2**20
_MOST_CHECKSUM_BYTES = 2**20
_CHUNK_BYTES = 2**18
_END_RECORD = struct.Struct("<4s4H2LH")
_SUM_LINE = pattern(r"([0-9a-f]{64})  (.+)")
_TOP = pattern(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,199}")
_ENCRYPTED = 0x1
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_LONGEST_NAME_BYTES = 255


@dataclass(slots=True, kw_only=True)
class _Budget:
    """How many bytes may still be unpacked from an archive of a given size."""

    archive_bytes: int
    used: int = 0

    def spend(self, amount: int, entry: str) -> None:
        self.used += amount
        if self.used > MOST_BYTES:
            raise _refusal(f"unpacks to more than {MOST_BYTES} bytes (at {entry!r})")
        if self.used > RATIO_FREE_BYTES and self.used > self.archive_bytes * MOST_RATIO:
            raise _refusal(f"unpacks to more than {MOST_RATIO} times its size (at {entry!r})")


def open_attachment(path: Path, into: Path) -> Path:
    """Check the attachment ``path``, unpack it below the folder ``into``, and return the run's folder there.

    Where a check fails, nothing stays behind.

    Raises:
        UsageError: not an attachment, damaged (an entry missing, extra or changed), or made to do harm.
        SurroundingsError: ``into`` can't be written to.
    """
    try:
        _check_directory(path)
        with zipfile.ZipFile(path) as archive:
            top, entries = _check_entries(archive.infolist())
            budget = _Budget(archive_bytes=path.stat().st_size)
            raw = _read_sums(archive, entries[CHECKSUMS], budget)
            sums = _parse_sums(raw, entries.keys())
            folder = _extract(archive, into / top, entries, sums, budget)
            (folder / CHECKSUMS).write_bytes(raw)
            return folder
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, struct.error, UnicodeDecodeError) as problem:
        raise _refusal(f"is damaged: {problem}", path) from problem
    except UsageError as problem:
        raise UsageError(what=f"{path}: {problem.what}", remedy=problem.remedy) from problem
    except OSError as problem:
        raise SurroundingsError(
            what=f"The attachment {path} could not be unpacked into {into}: {problem.strerror}.",
            remedy="Check its permissions and the room for temporary files (TMPDIR).",
        ) from problem


def _refusal(why: str, path: Path | None = None) -> UsageError:
    subject = f"{path}: the attachment" if path else "the attachment"
    return UsageError(
        what=f"{subject} {why}; it was not opened.", remedy="Ask for a fresh one, made by `harness bundle`."
    )


def _check_directory(path: Path) -> None:
    """Refuse an oversized table of contents before the zipfile module reads it into memory."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        stream.seek(max(0, size - 2**16 - _END_RECORD.size))
        tail = stream.read()
    at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) - at < _END_RECORD.size:
        raise zipfile.BadZipFile("it has no table of contents")
    _, _, _, _, entries, directory_bytes, directory_at, _ = _END_RECORD.unpack_from(tail, at)
    if b"PK\6\7" in tail[max(0, at - 20) : at] or entries > MOST_ENTRIES or directory_bytes > _MOST_DIRECTORY_BYTES:
        raise _refusal(f"has more than {MOST_ENTRIES} entries or an oversized table of contents")
    if directory_at + directory_bytes > max(0, size - len(tail)) + at:
        raise zipfile.BadZipFile("its table of contents is not where it says")


def _check_entries(infos: Sequence[zipfile.ZipInfo]) -> tuple[str, dict[str, zipfile.ZipInfo]]:
    """Return (top folder, entries by their name below it); refuse an entry that is no plain file with a plain name."""
    if len(infos) > MOST_ENTRIES:
        raise _refusal(f"has {len(infos)} entries, more than {MOST_ENTRIES}")
    entries: dict[str, zipfile.ZipInfo] = {}
    taken: set[str] = set()
    tops: set[str] = set()
    for info in infos:
        parts = _checked_parts(info)
        normal = _normalise(info.orig_filename)
        if normal in taken:
            raise _refusal(f"has two entries {info.orig_filename!r}")
        taken.add(normal)
        tops.add(parts[0])
        entries["/".join(parts[1:])] = info
    _check_no_file_is_folder(taken)
    if len(tops) != 1 or CHECKSUMS not in entries:
        raise _refusal(f"does not hold one run's folder with a {CHECKSUMS}")
    return tops.pop(), entries


def _checked_parts(info: zipfile.ZipInfo) -> list[str]:
    name = info.orig_filename
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG) or name.endswith("/"):
        raise _refusal(f"has the entry {name!r}, which is not a regular file")
    if info.flag_bits & _ENCRYPTED or info.compress_type not in _COMPRESSIONS:
        raise _refusal(f"has the entry {name!r}, which is encrypted or compressed in an unusual way")
    parts = name.split("/")
    plain = all(part not in ("", ".", "..") and len(part.encode()) <= _LONGEST_NAME_BYTES for part in parts)
    if not plain or "\\" in name or ":" in name or not name.isprintable() or len(parts) == 1:
        raise _refusal(f"has an entry with the name {name!r}, which may not be used")
    if not _TOP.fullmatch(parts[0]):
        raise _refusal(f"has the top folder {parts[0]!r}, which is no run's name")
    return parts


def _normalise(name: str) -> str:
    """The name as it looks to a file system that ignores case and the composition of accents."""
    return unicodedata.normalize("NFC", name).casefold()


def _check_no_file_is_folder(names: set[str]) -> None:
    folders = {name[:at] for name in names for at, sign in enumerate(name) if sign == "/"}
    for name in sorted(names & folders):
        raise _refusal(f"has {name!r} both as a file and as a folder")


def _read_sums(archive: zipfile.ZipFile, info: zipfile.ZipInfo, budget: _Budget) -> bytes:
    with archive.open(info) as stream:
        raw = stream.read(_MOST_CHECKSUM_BYTES + 1)
    budget.spend(len(raw), CHECKSUMS)
    if len(raw) > _MOST_CHECKSUM_BYTES:
        raise _refusal(f"has an oversized {CHECKSUMS}")
    return raw


def _parse_sums(raw: bytes, names: Set[str]) -> dict[str, str]:
    """Return the checksums by name; they must name exactly the other entries."""
    sums: dict[str, str] = {}
    for line in raw.decode("utf-8", "replace").split("\n")[:-1]:
        found = _SUM_LINE.fullmatch(line)
        if found is None or found[2] in sums:
            raise _refusal(f"has the bad line {line[:100]!r} in its {CHECKSUMS}")
        sums[found[2]] = found[1]
    for name in sorted(sums.keys() - names):
        raise _refusal(f"lacks the file {name!r} that its {CHECKSUMS} names")
    for name in sorted(names - sums.keys() - {CHECKSUMS}):
        raise _refusal(f"has the extra file {name!r} that its {CHECKSUMS} does not name")
    return sums


def _extract(
    archive: zipfile.ZipFile, folder: Path, entries: dict[str, zipfile.ZipInfo], sums: dict[str, str], budget: _Budget
) -> Path:
    try:
        folder.mkdir()  # exclusively, so that a file or a link that was there before is never written to
    except FileExistsError as problem:
        raise UsageError(what=f"{folder} exists already.", remedy="Unpack into an empty folder.") from problem
    try:
        for name, wanted in sums.items():
            _unpack(archive, entries[name], folder / name, budget, wanted)
    except BaseException:
        shutil.rmtree(folder)
        raise
    return folder


def _unpack(archive: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path, budget: _Budget, wanted: str) -> None:
    """Write one entry and check its SHA-256; the budget counts the bytes that are really unpacked."""
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    try:
        with archive.open(info) as source, target.open("xb") as sink:
            while chunk := source.read(_CHUNK_BYTES):
                budget.spend(len(chunk), info.orig_filename)
                digest.update(chunk)
                sink.write(chunk)
    except (zipfile.BadZipFile, zlib.error, EOFError) as problem:
        raise _refusal(f"has a damaged file {info.orig_filename!r} ({problem})") from problem
    if digest.hexdigest() != wanted:
        raise _refusal(f"has a changed file {info.orig_filename!r}: its checksum is another one")
