"""One place where all watchers put their events: appended to ``events.jsonl`` as they come, from any thread.

A watcher thread must not die of a full disk: the first failure is kept for the engine to raise.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from harness.core.clock import now_ns
from harness.core.errors import SurroundingsError
from harness.core.model import Event, Json


class EventSink:
    """Appends events to a file, line by line, and shows each to the listeners. ``stream``: in that file's stead."""

    def __init__(self, path: Path, stream: TextIO | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._listeners: list[Callable[[Event], None]] = []
        self._failure: OSError | None = None
        try:
            # a path that is no UTF-8 comes as a lone surrogate; written with a backslash it is JSON
            self._file = stream or path.open("a", encoding="utf-8", errors="backslashreplace", buffering=1)
        except OSError as problem:
            raise self._explain(problem) from problem

    def listen(self, listener: Callable[[Event], None]) -> None:
        """``listener`` gets every later event, in the thread that emits it: it must be quick."""
        self._listeners.append(listener)

    def emit(self, kind: str, at_ns: int | None = None, **fields: Json) -> None:
        """Record one event; ``at_ns`` is now unless told otherwise."""
        event = Event(at_ns=now_ns() if at_ns is None else at_ns, kind=kind, fields=fields)
        line = json.dumps({"at_ns": event.at_ns, "kind": kind, **fields}, ensure_ascii=False) + "\n"
        with self._lock:
            if self._file.closed:
                return  # the record is closed: what comes now is teardown
            if self._failure is None:
                try:
                    self._file.write(line)
                except OSError as problem:
                    self._failure = problem
        for listener in self._listeners:
            listener(event)

    def check(self) -> None:
        """Raise SurroundingsError where an event could not be written."""
        if self._failure is not None:
            raise self._explain(self._failure)

    def close(self) -> None:
        """Close the record; later events are dropped."""
        with self._lock:
            try:
                self._file.close()
            except OSError as problem:
                self._failure = self._failure or problem

    def _explain(self, problem: OSError) -> SurroundingsError:
        return SurroundingsError(
            what=f"The record {self._path} can't be written: {problem.strerror or problem}.",
            remedy="Free some space there, or choose another folder with --out.",
        )
