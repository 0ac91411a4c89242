"""One place where all watchers put their events: appended to ``events.jsonl`` as they come, from any thread.

It gives each line its number (``seq``, from 0 on), so that a record tells when a line of it is missing.

A watcher thread must not die of a full disk: the first failure is kept for the engine to raise.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from harness.core.errors import SurroundingsError
from harness.core.events.base import Event, encode
from harness.core.events.course import RecordEnd
from harness.core.files import open_own


def _open(path: Path) -> TextIO:
    return open(path, "a", encoding="utf-8", errors="backslashreplace", buffering=1, opener=open_own)


class EventSink:
    """Appends events to a file, line by line, and shows each to the listeners. ``stream``: in that file's stead."""

    def __init__(self, path: Path, stream: TextIO | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._listeners: list[Callable[[Event], None]] = []
        self._failure: OSError | None = None
        self._written = 0
        try:
            # a path that is no UTF-8 comes as a lone surrogate; written with a backslash it is JSON
            self._file = stream or _open(path)
        except OSError as problem:
            raise self._explain(problem) from problem

    def listen(self, listener: Callable[[Event], None]) -> None:
        """``listener`` gets every later event, in the thread that emits it: it must be quick."""
        self._listeners.append(listener)

    def emit(self, event: Event) -> None:
        """Record one event."""
        text = encode(event)
        with self._lock:
            if self._file.closed:
                return  # the record is closed: what comes now is teardown
            self._write(text)
        for listener in self._listeners:
            listener(event)

    def check(self) -> None:
        """Raise SurroundingsError where an event could not be written."""
        if self._failure is not None:
            raise self._explain(self._failure)

    def close(self) -> None:
        """Close the record with a last line that says so; later events are dropped."""
        text = encode(RecordEnd())
        with self._lock:
            if self._file.closed:
                return
            self._write(text)
            try:
                self._file.close()
            except OSError as problem:
                self._failure = self._failure or problem

    def _write(self, text: str) -> None:
        """One object as a line, with its number; after a failure nothing is written any more."""
        if self._failure is None:
            try:
                self._file.write(f'{{"seq": {self._written}, {text[1:]}\n')
            except OSError as problem:
                self._failure = problem
        self._written += 1

    def _explain(self, problem: OSError) -> SurroundingsError:
        return SurroundingsError(
            what=f"The record {self._path} can't be written: {problem.strerror or problem}.",
            remedy="Free some space there, or choose another folder with --out.",
        )
