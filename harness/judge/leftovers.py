"""Collects what was seen around the ordered stop: open files, processes without a worker, and how the stop went."""

from __future__ import annotations

from typing import Any

from harness.core.events.base import Event
from harness.core.events.stop import OpenFiles, StopEnded, StopSkipped, StrayProcesses
from harness.core.observations import Leftovers
from harness.judge.doings import FIELDS, DoingsReader

OF_THE_STOP = (StopEnded, StopSkipped)
"""They are told after the window was closed, and count all the same."""

KINDS = (OpenFiles, StrayProcesses, *OF_THE_STOP)


class LeftoversReader:
    """Takes the events in the order of their times."""

    def __init__(self) -> None:
        self._files: list[OpenFiles] = []
        self._found: dict[str, Any] = {}
        self._doings = DoingsReader()

    def read(self, event: Event) -> None:
        """One event: of a class in KINDS, or of any class after the window was closed."""
        if isinstance(event, OpenFiles):
            self._files.append(event)
        elif isinstance(event, StrayProcesses):
            self._found["strays"] = event
        elif isinstance(event, StopEnded):
            self._found["stop"] = event
        elif isinstance(event, StopSkipped):
            self._found["skipped"] = event
        elif type(event) in FIELDS:
            self._doings.read(event)

    def close(self) -> Leftovers:
        """All of it."""
        return Leftovers(open_files=tuple(self._files), doings=self._doings.close(), **self._found)
