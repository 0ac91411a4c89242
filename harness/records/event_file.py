"""Reads ``events.jsonl`` line by line: typed events, and events that say what is wrong with the file itself.

The event log numbers the lines (``seq``, from 0 on) and closes the record with an ``end``. Records of older versions
have neither, and are read without these checks.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from harness.core.errors import UsageError
from harness.core.events.base import Event, UnknownEvent
from harness.core.events.course import Contradiction, CutShort, RecordEnd
from harness.core.events.parsing import UnknownKindError, parse_event
from harness.core.model import Json
from harness.core.patterns import pattern
from harness.core.signals import check

LONGEST_LINE_BYTES = 16 * 2**20
"""No event is that long; a file that says otherwise is no record and must not fill the memory."""

MOST_EVENTS = 5_000_000
"""More than four hours of a run make; judging keeps some 80 bytes of each."""


def read_events(stream: BinaryIO, path: Path, say: Callable[[str], None]) -> Iterator[Event]:
    """The events in the order of the file; a torn last line is left out and reported through ``say``.

    Raises:
        UsageError: a line that is no event; names the file and the line's number.
    """
    numbering, last = _Numbering(), None
    for line, raw in enumerate(iter(lambda: stream.readline(LONGEST_LINE_BYTES), b""), start=1):
        check()  # a large record takes a while
        if line > MOST_EVENTS:
            raise UsageError(
                what=f"{path} has more than {MOST_EVENTS:,} events, which would not fit into memory.",
                remedy="Repeat the run with a shorter --duration.",
            )
        try:
            seq, event = _parse(raw)
        except ValueError as problem:
            if not raw.endswith(b"\n") and len(raw) < LONGEST_LINE_BYTES:
                say(f"{path}, line {line}: torn after {len(raw)} bytes (the run was killed while writing); left out.")
                break
            raise UsageError(
                what=f"{path}, line {line}: not an event: {problem}.", remedy="Use an undamaged copy of the run."
            ) from problem
        wrong = numbering.check(line, seq, event.at_ns)
        if wrong is not None:
            yield wrong
        yield event
        last = event
    if numbering.used and not isinstance(last, RecordEnd):
        yield CutShort(at_ns=last.at_ns if last is not None else 0)


def parse_json(raw: bytes) -> Json:
    """Parse strict JSON: UTF-8, no NaN, no infinity.

    Raises:
        ValueError: it is not such JSON, or is nested too deeply.
    """
    if raw.count(b"[") + raw.count(b"{") > MOST_DEPTH and _is_deep(raw):
        raise ValueError("nested too deeply")
    parsed: Json = _DECODER.decode(raw.decode("utf-8"))
    return parsed


def _is_deep(raw: bytes) -> bool:
    """Whether lists and objects lie in one another so deeply that nobody can follow."""
    depth = 0
    for found in _BRACKETS.finditer(raw):
        depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(found[0], 0)
        if depth > MOST_DEPTH:
            return True
    return False


def _refuse_constant(name: str) -> None:
    raise ValueError(f"the number {name} is not JSON")


MOST_DEPTH = 100
_BRACKETS = pattern(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]')
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def _parse(raw: bytes) -> tuple[int | None, Event]:
    """The line's number and its event; ValueError where it is none."""
    data = parse_json(raw)
    if not isinstance(data, dict):
        raise ValueError("it is no JSON object")  # noqa: TRY004 - the caller turns every bad line into one error
    seq, at_ns = data.pop("seq", None), data.get("at_ns")
    if seq is not None and type(seq) is not int:
        raise ValueError("seq must be a whole number")
    if type(at_ns) is not int:
        raise ValueError("at_ns must be a whole number")
    try:
        return seq, parse_event(data)
    except UnknownKindError as unknown:
        return seq, UnknownEvent(at_ns=at_ns, name=unknown.name, said=data)


class _Numbering:
    """Checks the sequence numbers of the lines; the first line shows whether the record has any."""

    def __init__(self) -> None:
        self.used = False
        self._told = False

    def check(self, line: int, seq: int | None, at_ns: int) -> Contradiction | None:
        """What is wrong with a line's number; returned once, because all numbers after a missing line are wrong."""
        if line == 1:
            self.used = seq is not None
        expected = line - 1 if self.used else None
        if self._told or seq == expected:
            return None
        self._told = True
        return Contradiction(at_ns=at_ns, line=line, seq=seq, expected=expected)
