"""The bug-report attachment: one zip of a run, the same bytes for the same record, safe to be sent.

This module decides which files of a run go in, cuts long logs and adds checksums. ``records.redaction`` knows what is
private; ``records.unpack`` reads an attachment from another person.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import SurroundingsError, UsageError
from harness.core.files import replacing_file
from harness.core.keeping import Keeper
from harness.records.event_file import LONGEST_LINE_BYTES
from harness.records.redaction import current_identity, make_scrubber, make_secret_finder, secret_in_facts, secrets_of
from harness.records.stored import StoredRun
from harness.records.unpack import CHECKSUMS, MOST_BYTES

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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Filter:
    """Each line on its way into the zip: first looked at for secrets, then freed of private names."""

    find_secret: Callable[[bytes], str | None]
    scrub: Callable[[bytes], bytes]

    def pass_on(self, line: bytes, name: str) -> bytes:
        """The line as it may be sent. The page is free of names by itself, and its scripts must stay as they are."""
        variable = self.find_secret(line)
        if variable is not None:
            raise _leak(name, variable)
        return line if name.endswith(f"/{_PAGE}") else self.scrub(line)


def bundle(run: StoredRun, target: Path | None = None) -> Path:
    """Write the run as one zip and return where: ``target`` (a file, or a folder that exists), else beside the run.

    An attachment that was opened again goes to the current folder. Only the files that the contract names are put in,
    and of them only regular ones, below one folder named after the run.

    Raises:
        UsageError: a file holds the value of a variable whose name says that it is secret; or the record is too large.
        SurroundingsError: the zip can't be written there.
    """
    variable = secret_in_facts(dict(run.facts), secrets_of())
    if variable is not None:
        raise _leak("facts.json", variable)
    name = f"{run.run_id}.zip"
    place = target or ((Path.cwd() if run.unpacked else run.path.parent) / name)
    place = place / name if place.is_dir() else place
    lines = _Filter(find_secret=make_secret_finder(secrets_of()), scrub=make_scrubber(current_identity()))
    keeper = Keeper("bundle", what=f"bundle {place}")
    try:
        with replacing_file(place, durable=True, adopt=keeper.adopt) as stream, zipfile.ZipFile(stream, "w") as archive:
            _fill(archive, run, lines)
    except OSError as problem:
        raise SurroundingsError(
            what=f"The attachment {place} could not be written: {problem.strerror}.",
            remedy="Make room there, or name another place with --out.",
        ) from problem
    finally:
        keeper.close(sweep=False)
    return place


def _fill(archive: zipfile.ZipFile, run: StoredRun, lines: _Filter) -> None:
    sums, left = [], MOST_BYTES
    for name in _names(run):
        digest, size = _add(archive, f"{run.run_id}/{name}", _content(run, name), lines)
        sums.append(f"{digest}  {name}\n")
        left -= size
        if left < 0:
            raise UsageError(
                what=f"The record of {run.run_id} is larger than the {MOST_BYTES} bytes that an attachment may hold.",
                remedy="Repeat the run with a shorter --duration.",
            )
    _add(archive, f"{run.run_id}/{CHECKSUMS}", iter(["".join(sums).encode()]), None)


def _content(run: StoredRun, name: str) -> Iterator[bytes]:
    """A file's lines. The page is made again, so that it says what the record says, whatever the stored page says."""
    if name == _PAGE:
        from harness.report.as_html import render_html

        return iter(render_html(run).encode("utf-8", "backslashreplace").splitlines(keepends=True))
    return _lines(run.path / name, cut=name.startswith("logs/"))


def _names(run: StoredRun) -> list[str]:
    """What goes in, sorted, as ``config/h2o.conf``; links, sockets and temporary files stay out."""
    folder = run.path
    found = [folder / name for name in _FILES]
    for top in _FOLDERS:
        if not (folder / top).is_symlink():
            found += (folder / top).rglob("*")
    kept = (path for path in found if path.is_file() and not path.is_symlink() and not path.name.startswith("."))
    names = {path.relative_to(folder).as_posix() for path in kept} - {_PAGE}
    return sorted(names | ({_PAGE} if run.verdict is not None else set()))


def _add(archive: zipfile.ZipFile, name: str, content: Iterator[bytes], lines: _Filter | None) -> tuple[str, int]:
    """Stream one entry into the archive; its SHA-256 in hex and its bytes."""
    entry = zipfile.ZipInfo(name, date_time=_DATE)
    entry.create_system = 3  # Unix, wherever it is made: the modes mean something and the bytes are the same
    entry.external_attr = (_REGULAR | (0o755 if Path(name).name in _EXECUTABLE else 0o644)) << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    digest, size = hashlib.sha256(), 0
    with archive.open(entry, "w") as stream:
        for raw in content:
            line = raw if lines is None else lines.pass_on(raw, name)
            digest.update(line)
            size += stream.write(line)
    return digest.hexdigest(), size


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


def _leak(name: str, variable: str) -> UsageError:
    return UsageError(
        what=f"{name} holds the value of the environment variable {variable}, which must not be sent.",
        remedy=f"Nothing was written. Take the value out of the run's files, or unset {variable} if it is no secret.",
    )
