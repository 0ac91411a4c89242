"""A run in progress and its record, which is opened before anything starts and in which any error becomes an event."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from harness.core.cells import cell_id, cell_to_json
from harness.core.clock import now_ns
from harness.core.errors import HarnessError, UnrunnableError
from harness.core.events.course import Fault, Interrupted, Phase
from harness.core.model import Cell
from harness.core.signals import check
from harness.disturb import list_turns
from harness.engine.facts import collect_surroundings
from harness.engine.request import RunRequest
from harness.provision.environments import Environment
from harness.records.store import RunFolder, create_run
from harness.watch.event_log import EventSink

SEED_BYTES = 3
"""A drawn seed is a number that can be typed."""

TEARDOWN = ("closed", "ended")
"""Phases after the experiment; an interruption in one of them is recorded with the last phase before."""


@dataclass(slots=True, kw_only=True)
class Run:
    """A run in progress."""

    request: RunRequest
    cell: Cell
    folder: RunFolder
    sink: EventSink
    say: Callable[[str], None]
    phase: str = "prepare"
    interrupted: bool = False
    closed: bool = False  # whether the window that is judged is over
    notes: list[str] = field(default_factory=list)  # what the user should know of how it was run

    def enter(self, phase: str, at_ns: int | None = None) -> None:
        """Begin a new phase; Ctrl-C ends the experiment here at the latest."""
        if phase not in TEARDOWN:
            self.phase = phase
        self.closed = self.closed or phase in TEARDOWN
        self.sink.emit(Phase(name=phase, at_ns=now_ns() if at_ns is None else at_ns))
        if not self.closed:
            check()


def open_run(request: RunRequest, environment: Environment | None, say: Callable[[str], None]) -> Run:
    """Make a new folder for the record, with the cell and its surroundings in it.

    Raises:
        SurroundingsError: the folder can't be made or written to.
    """
    cell, label = describe_cell(request, environment)
    folder = create_run(request.out, request.label + cell_id(cell, label))
    named = request.settings is not None or request.own is not None or cell.user is not None
    if os.geteuid() == 0 and named:
        folder.open_to_workers()  # such settings may name a user for the workers
    folder.write_json("cell.json", cell_to_json(cell))
    folder.write_json("facts.json", collect_surroundings(folder.run_id))
    return Run(request=request, cell=cell, folder=folder, sink=EventSink(folder.path / "events.jsonl"), say=say)


def describe_cell(request: RunRequest, environment: Environment | None) -> tuple[Cell, str]:
    """The cell with the versions that were installed, and a seed if it disturbs; the release's name in the folder's."""
    cell = request.cell
    if cell.seed is None and list_turns(cell):
        cell = replace(cell, seed=int.from_bytes(os.urandom(SEED_BYTES), "big"))
    if environment is None:
        return cell, cell.spec.rstrip("/").rpartition("/")[2]
    cell = replace(cell, gunicorn=environment.gunicorn_version, python=environment.python_version)
    return cell, environment.label


@contextmanager
def recording(run: Run) -> Iterator[None]:
    """Turn what ends the experiment (an error, Ctrl-C) into an event; the verdict follows from the events."""
    try:
        yield
    except KeyboardInterrupt:
        run.interrupted = True
        run.sink.emit(Interrupted(phase=run.phase))
    except HarnessError as problem:
        outcome: Literal["error", "unrunnable"] = "unrunnable" if isinstance(problem, UnrunnableError) else "error"
        log = _keep_log(run, problem.log) if problem.log else None
        what = " ".join([problem.what, *getattr(problem, "__notes__", [])])
        name = type(problem).__name__
        run.sink.emit(Fault(outcome=outcome, type=name, what=what, remedy=problem.remedy, log=log))
    except Exception as problem:  # noqa: BLE001 - a bug of ours must not look like a verdict, and must not be lost
        import traceback

        run.folder.write_text("logs/harness.traceback.log", traceback.format_exc())
        fault = Fault(
            outcome="error",
            type=type(problem).__name__,
            what=f"The harness itself failed: {type(problem).__name__}: {problem}",
            remedy="Report it, with this record.",
            log="logs/harness.traceback.log",
        )
        run.sink.emit(fault)


def _keep_log(run: Run, log: Path) -> str:
    """A log's name inside the record; one that lies elsewhere (what the installer said) is copied into it."""
    if log.is_relative_to(run.folder.path):
        return str(log.relative_to(run.folder.path))
    try:
        shutil.copyfile(log, run.folder.logs / "install.log")
    except OSError:
        return str(log)  # it could not be copied, so the event names the original
    return "logs/install.log"
