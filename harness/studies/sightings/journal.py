"""The journal of a study: one line a finished run, written at once, so that a study goes on where it was ended.

A study asks for its runs in the same order again; what the journal has is taken from it, in the order of the runs.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from harness.core.errors import SurroundingsError, UsageError
from harness.core.model import Json, Outcome
from harness.studies.sightings.signs import RunSummary

FILE = "runs.jsonl"


class Journal:
    """The runs of one study, by the key of what was run."""

    def __init__(self, folder: Path, about: Mapping[str, Json]) -> None:
        """``about``: what the study is about; another study's journal in the folder is refused.

        Raises:
            UsageError: the folder holds another study.
            SurroundingsError: it can't be read or written.
        """
        self._file = folder / FILE
        self._waiting: defaultdict[str, deque[RunSummary]] = defaultdict(deque)
        self.runs = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            text = self._file.read_text(encoding="utf-8") if self._file.exists() else ""
            lines = text.splitlines()
            first = _parse(lines[0]) if lines else None
            if first is None:
                self._file.write_text(json.dumps(dict(about)) + "\n", encoding="utf-8")
            elif not text.endswith("\n"):  # the next line would become a part of the one that was cut short
                with self._file.open("a", encoding="utf-8") as stream:
                    stream.write("\n")
        except OSError as problem:
            raise _cannot(self._file, problem) from problem
        if first is not None and first != dict(about):
            raise UsageError(
                what=f"{folder} holds another study: {json.dumps(first)}.",
                remedy="Name another folder with --out, or repeat that study's command to go on with it.",
            )
        for line in lines[1:]:
            entry = _parse(line)
            if entry is not None:  # a line that was cut short by the end of the process was never counted
                key, run = _read(entry)
                self._waiting[key].append(run)

    def recall(self, key: str) -> RunSummary | None:
        """The next run of this key that an earlier process made, and that was not asked for yet."""
        if not self._waiting[key]:
            return None
        self.runs += 1
        return self._waiting[key].popleft()

    def add(self, key: str, run: RunSummary) -> None:
        """Add a run that was just made to the journal."""
        entry = {"key": key, **asdict(run), "outcome": run.outcome.value}
        try:
            with self._file.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(entry) + "\n")
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as problem:
            raise _cannot(self._file, problem) from problem
        self.runs += 1


def _parse(line: str) -> dict[str, Json] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def _read(entry: Mapping[str, Json]) -> tuple[str, RunSummary]:
    def texts(name: str) -> tuple[str, ...]:
        values = entry[name]
        return tuple(str(value) for value in values) if isinstance(values, list) else ()

    recycles, took_s, path, python = entry["recycles"], entry["took_s"], entry["path"], entry["python"]
    run = RunSummary(
        outcome=Outcome(str(entry["outcome"])),
        findings=texts("findings"),
        unknown=texts("unknown"),
        recycles=recycles if isinstance(recycles, int) else 0,
        took_s=float(took_s) if isinstance(took_s, int | float) else 0.0,
        path=str(path) if path else None,
        python=str(python) if python else None,
        detail=str(entry["detail"]),
    )
    return str(entry["key"]), run


def _cannot(file: Path, problem: OSError) -> SurroundingsError:
    return SurroundingsError(
        what=f"{file} can't be read or written: {problem.strerror}.", remedy="Name another folder with --out."
    )
