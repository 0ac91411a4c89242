"""The bug-report attachment: one zip of a run, the same bytes for the same record, safe to be sent.

This module decides which files of a run go in, cuts long logs and adds checksums. ``cleaner`` takes out what is
private; ``records.unpack`` reads an attachment from another person.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from harness.core.errors import SurroundingsError, UsageError
from harness.core.files import replacing_file
from harness.core.keeping import Keeper, temporary_folder
from harness.core.signals import check
from harness.records.event_file import LONGEST_LINE_BYTES
from harness.records.store import load_run
from harness.records.stored import StoredRun
from harness.records.unpack import CHECKSUMS, MOST_BYTES
from harness.report.cleaner import Cleaner

LOG_BYTES = 5_000_000
"""Longer logs are cut to head and tail: an hour of the same 502 says no more than its first minute."""

_KEPT_BYTES = LOG_BYTES // 2 - 512
"""Of the head, and of the tail: with the line between them it stays below LOG_BYTES, so nothing is cut twice."""

_PAGE = "report.html"
_FILES = ("cell.json", "events.jsonl", "facts.json", _PAGE, "report.md", "reproduce.sh", "timeline.svg", "verdict.json")
_FOLDERS = ("config", "logs")
_EXECUTABLE = {"reproduce.sh"}
_DATE = (1980, 1, 1, 0, 0, 0)
_REGULAR = 0o100000


def bundle(
    run: StoredRun, target: Path | None = None, *, force: bool = False, say: Callable[[str], None] = lambda _line: None
) -> Path:
    """Write the run as one zip and return where: ``target`` (a file, or a folder that exists), else beside the run.

    An attachment that was opened again goes to the current folder. Only the files that the contract names are put in,
    and of them only regular ones, below one folder named after the run. ``say`` gets a line for each file of the user's
    and each kind of secret that was taken out. ``force``: go on where nobody can tell what is a secret.

    Raises:
        UsageError: nobody can tell what is a secret; or the record is too large.
        SurroundingsError: the zip can't be written there.
    """
    name = f"{run.run_id}.zip"
    place = target or ((Path.cwd() if run.unpacked else run.path.parent) / name)
    place = place / name if place.is_dir() else place
    keeper = Keeper("bundle", what=f"bundle {place}")
    cleaner = Cleaner(force=force)
    try:
        with temporary_folder("attachment") as scratch:
            copy = _copy(run, scratch / run.run_id, cleaner)
            with (
                replacing_file(place, durable=True, adopt=keeper.adopt) as stream,
                zipfile.ZipFile(stream, "w") as archive,
            ):
                _fill(archive, run.run_id, copy)
    except OSError as problem:
        raise SurroundingsError(
            what=f"The attachment {place} could not be written: {problem.strerror}.",
            remedy="Make room there, or name another place with --out.",
        ) from problem
    finally:
        keeper.close(sweep=False)
    for line in cleaner.render():
        say(line)
    return place


def _copy(run: StoredRun, copy: Path, cleaner: Cleaner) -> Path:
    """The record as it may be sent, and a page that is made of that."""
    left = MOST_BYTES
    cleaner.require_certainty(run)
    for name in _names(run):
        check()
        target = copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as stream:
            for line in cleaner.clean(name, _lines(run.path / name, cut=name.startswith("logs/"))):
                left -= stream.write(line)
                if left < 0:
                    raise _too_large(run.run_id)
    if run.verdict is not None:
        from harness.report.as_html import render_html

        with load_run(copy) as stored:
            (copy / _PAGE).write_bytes(render_html(stored).encode("utf-8", "backslashreplace"))
    return copy


def _too_large(run_id: str) -> UsageError:
    return UsageError(
        what=f"The record of {run_id} is larger than the {MOST_BYTES} bytes that an attachment may hold.",
        remedy="Repeat the run with a shorter --duration.",
    )


def _fill(archive: zipfile.ZipFile, run_id: str, copy: Path) -> None:
    names = sorted(path.relative_to(copy).as_posix() for path in copy.rglob("*") if path.is_file())
    sums = [f"{_add(archive, f'{run_id}/{name}', _lines(copy / name, cut=False))}  {name}\n" for name in names]
    _add(archive, f"{run_id}/{CHECKSUMS}", iter(["".join(sums).encode()]))


def _names(run: StoredRun) -> list[str]:
    """What goes in, sorted, as ``config/h2o.conf``; links, sockets and temporary files stay out."""
    folder = run.path
    found = [folder / name for name in _FILES]
    for top in _FOLDERS:
        if not (folder / top).is_symlink():
            found += (folder / top).rglob("*")
    kept = (path for path in found if path.is_file() and not path.is_symlink() and not path.name.startswith("."))
    return sorted({path.relative_to(folder).as_posix() for path in kept} - {_PAGE})


def _add(archive: zipfile.ZipFile, name: str, content: Iterator[bytes]) -> str:
    """Stream one entry into the archive; its SHA-256 in hex."""
    entry = zipfile.ZipInfo(name, date_time=_DATE)
    entry.create_system = 3  # Unix, wherever it is made: the modes mean something and the bytes are the same
    entry.external_attr = (_REGULAR | (0o755 if Path(name).name in _EXECUTABLE else 0o644)) << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    digest = hashlib.sha256()
    with archive.open(entry, "w") as stream:
        for line in content:
            digest.update(line)
            stream.write(line)
    return digest.hexdigest()


def _lines(path: Path, *, cut: bool) -> Iterator[bytes]:
    """The lines of a file; those of a long log without its middle. Never more than one line is held."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        if not cut or size <= LOG_BYTES:
            yield from iter(lambda: stream.readline(LONGEST_LINE_BYTES), b"")
            return
        kept = 0
        while line := stream.readline(_KEPT_BYTES - kept):
            kept += len(line)
            yield line
        tail_at = _start_of_line(path, size - _KEPT_BYTES)
        gap = b"" if line_ended(path, kept) else b"\n"
        yield gap + b"[... %d bytes of %d left out of the attachment here ...]\n" % (tail_at - kept, size)
        stream.seek(tail_at)
        yield from iter(lambda: stream.readline(LONGEST_LINE_BYTES), b"")


def line_ended(path: Path, position: int) -> bool:
    """Whether the byte before ``position`` ends a line."""
    with path.open("rb") as stream:
        stream.seek(position - 1)
        return stream.read(1) == b"\n"


def _start_of_line(path: Path, position: int) -> int:
    """The first start of a line at or after ``position``; the position itself in a line without end."""
    with path.open("rb") as stream:
        stream.seek(position - 1)
        skipped = stream.readline(2**16)
    return position - 1 + len(skipped) if skipped.endswith(b"\n") else position
