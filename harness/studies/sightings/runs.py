"""Makes the runs of a study: each a process of its own, several side by side, each in a folder of its own.

What the study's journal has already is not run again.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from harness.core import locks
from harness.core.clock import now_ns
from harness.core.model import Outcome
from harness.core.signals import pause, shielded
from harness.engine.options import run_arguments
from harness.engine.request import RunRequest
from harness.studies.matrix.campaign.attempts import ChildRun, RunningAttempt, StartRun
from harness.studies.sightings.journal import Journal
from harness.studies.sightings.signs import RunSummary, read_summary

POLL_S = 0.01

AT_ONCE = 2
"""Runs that are needed in any case are made side by side: each waits for half of its time."""

Watch = Callable[[int, RunRequest, RunSummary], None]
"""Gets the number of each run that has ended, and what it was."""


class RunMaker:
    """Makes runs and remembers them. ``at_once``: so many side by side, at the most."""

    def __init__(
        self, folder: Path, journal: Journal, *, watch: Watch, start: StartRun = ChildRun, at_once: int = AT_ONCE
    ) -> None:
        self._folder, self._journal, self._watch, self._start = folder, journal, watch, start
        self._at_once = at_once
        self.spent_s = 0.0  # by runs, if they had come one after the other

    @property
    def made(self) -> int:
        """How many runs there were, recalled ones included."""
        return self._journal.runs

    def make(self, requests: Sequence[RunRequest]) -> list[RunSummary]:
        """Run each of these once, side by side."""
        found: dict[int, RunSummary] = {}
        waiting = deque(enumerate(requests))
        running: dict[int, tuple[RunningAttempt, RunRequest, int]] = {}
        try:
            while waiting or running:
                while waiting and len(running) < self._at_once:
                    place, request = waiting.popleft()
                    known = self._journal.recall(_key(request))
                    if known is not None:
                        found[place] = known
                        self._told(request, known)
                        continue
                    with shielded():  # or Ctrl-C in between would leave a run that nobody stops
                        running[place] = self._begin(request, place)
                for place in [one for one, (attempt, *_) in running.items() if attempt.ended()]:
                    attempt, request, began_ns = running.pop(place)
                    found[place] = self._end(attempt, request, (now_ns() - began_ns) / 1e9)
                pause(POLL_S)
        finally:
            with shielded():
                for attempt, *_ in running.values():
                    attempt.interrupt()
                for attempt, *_ in running.values():
                    attempt.stop()
        return [found[place] for place in range(len(requests))]

    def _begin(self, request: RunRequest, place: int) -> tuple[RunningAttempt, RunRequest, int]:
        folder = self._folder / "runs" / f"{now_ns()}-{place}"
        lease = locks.take_exclusive(folder / ".lock", on_wait=lambda: None)
        child = replace(request, out=folder)
        return self._start(child, name="study", logs=folder, lease=lease), child, now_ns()

    def _end(self, attempt: RunningAttempt, request: RunRequest, took_s: float) -> RunSummary:
        run = _read(request.out, took_s)
        if run is None:
            detail = f"the run ended with status {attempt.status} and left no record: {attempt.complaint()}"
            run = RunSummary(outcome=Outcome.ERROR, findings=(), unknown=(), recycles=0, took_s=took_s, path=None)
            run = replace(run, detail=detail)
        self._journal.add(_key(request), run)
        self._told(request, run)
        return run

    def _told(self, request: RunRequest, run: RunSummary) -> None:
        self.spent_s += run.took_s
        self._watch(self._journal.runs, request, run)


def _key(request: RunRequest) -> str:
    return " ".join(run_arguments(replace(request, out=Path())))


def _read(folder: Path, took_s: float) -> RunSummary | None:
    for file in sorted(folder.glob("*/verdict.json")):
        if file.parent.is_symlink():
            continue
        try:
            return read_summary(json.loads(file.read_bytes()), path=str(file.parent), took_s=round(took_s, 3))
        except (OSError, ValueError, KeyError, TypeError):
            return None
    return None
