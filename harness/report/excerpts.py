"""The few lines of a log that matter: around the first recycle and the first error, read as a stream.

Logs may be large, repetitive and hostile: repeated lines are counted, lines are shortened, and at most READ_BYTES are
read. This module chooses the lines; the reports render them.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import groupby, islice
from pathlib import Path
from typing import BinaryIO

from harness.core.frozen import dataclass
from harness.core.patterns import pattern
from harness.records.stored import StoredRun
from harness.report.fields import clean

READ_BYTES = 2**18
"""Of the proxy's log: the first of each kind is wanted, and an outage repeats one line a hundred thousand times."""

OWN_READ_BYTES = 64 * 2**20
"""Of gunicorn's own log, which is short unless something is told in it."""

LINE_CHARS = 300
BEFORE, AFTER = 6, 24
TAIL = 30

_RECYCLE = pattern(r"Autorestarting worker")
_ERROR = pattern(
    r"Traceback|\[(?:ERROR|CRITICAL|error|crit|emerg|ALERT)\]|Exception|failed|refused|No such file|error \(|I/O error"
)
_VARYING = pattern(r"0x[0-9a-f]+|[0-9]+")
_ERROR_LOG = "gunicorn.error.log"


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatedLine:
    """A line and how often it came in a row."""

    text: str
    number: int
    times: int

    def __str__(self) -> str:
        return self.text if self.times == 1 else f"{self.text}   [{self.times} times in a row]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """Some lines of one log, with what they show."""

    log: str
    title: str
    lines: tuple[str, ...]
    numbers: tuple[int, ...]  # of each line in the log; from the excerpt's own start where only the end is shown
    marked: tuple[bool, ...]  # whether the line tells of a recycle or an error, as the first of its kind

    @property
    def numbered(self) -> list[tuple[int, str, bool]]:
        """Each line with its number and whether it is marked."""
        return list(zip(self.numbers, self.lines, self.marked, strict=True))


def excerpts(stored: StoredRun) -> list[Excerpt]:
    """What the logs of gunicorn and of the proxy say around the event; nothing for logs that are empty or missing.

    A scenario has a folder of logs for each of its arms.
    """
    logs = stored.path / "logs"
    if stored.cell.scenario is None:
        return _of_run(logs)
    arms = sorted(path for path in logs.glob("*") if path.is_dir() and not path.is_symlink())
    return [replace(one, log=f"{arm.name}/{one.log}") for arm in arms for one in _of_run(arm)]


def _of_run(logs: Path) -> list[Excerpt]:
    gunicorn = logs / _ERROR_LOG
    found = [_around(gunicorn, _RECYCLE, "the first recycle"), _around(gunicorn, _ERROR, "the first error")]
    kept = [excerpt for excerpt in found if excerpt is not None]
    if len(kept) > 1 and set(kept[1].lines[:BEFORE]) <= set(kept[0].lines):
        kept[1:] = []  # the first already shows the error
    if not kept:
        kept = _tail(gunicorn)
    for path in sorted(logs.glob("*error*")):
        if path.name != _ERROR_LOG:
            other = _around(path, _ERROR, "the first error")
            kept += _tail(path) if other is None else [other]
    return kept


def _around(path: Path, wanted: re.Pattern[str], title: str) -> Excerpt | None:
    if not _readable(path):
        return None
    before: deque[RepeatedLine] = deque(maxlen=BEFORE)
    with path.open("rb") as stream:
        lines = _count_repeats(stream, OWN_READ_BYTES if path.name == _ERROR_LOG else READ_BYTES)
        for line in lines:
            if wanted.search(line.text):
                shown = [*before, line, *islice(lines, AFTER)]
                return _excerpt(path, f"{title}, from line {shown[0].number}", shown)
            before.append(line)
    return None


def _tail(path: Path) -> list[Excerpt]:
    if not _readable(path) or path.stat().st_size == 0:
        return []
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - TAIL * LINE_CHARS * 4))
        lines = deque(_count_repeats(stream), maxlen=TAIL)
    return [_excerpt(path, "its end", list(lines))]


def _excerpt(path: Path, title: str, shown: list[RepeatedLine]) -> Excerpt:
    return Excerpt(
        log=path.name,
        title=title,
        lines=tuple(map(str, shown)),
        numbers=tuple(line.number for line in shown),
        marked=tuple(_mark(shown)),
    )


def _mark(shown: list[RepeatedLine]) -> Iterator[bool]:
    """The first line of each kind that matters; lines that differ in numbers alone are of one kind."""
    kinds: set[str] = set()
    for line in shown:
        kind = _VARYING.sub("", line.text)
        matters = _RECYCLE.search(line.text) or _ERROR.search(line.text)
        yield bool(matters) and kind not in kinds
        kinds.add(kind)


def _readable(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _count_repeats(stream: BinaryIO, limit_bytes: int = READ_BYTES) -> Iterator[RepeatedLine]:
    """The lines; one that repeats the line before is counted instead of given again."""
    number = 1
    for text, lines in groupby(map(_show, _read_lines(stream, limit_bytes))):
        times = sum(1 for _ in lines)
        yield RepeatedLine(text=text, number=number, times=times)
        number += times


def _read_lines(stream: BinaryIO, limit_bytes: int) -> Iterator[bytes]:
    left = limit_bytes
    while left > 0 and (raw := stream.readline(2**20)):
        left -= len(raw)
        yield raw[: LINE_CHARS * 4]


@lru_cache(maxsize=64)
def _show(raw: bytes) -> str:
    """The line as it may be shown. The last ones are remembered, because an outage repeats a few again and again."""
    text = clean(raw.decode("utf-8", "replace").rstrip("\n"))
    return text if len(text) <= LINE_CHARS else text[:LINE_CHARS] + " ..."
