"""Runs one cell from start to end: environment, stack, control, load, settle; then judges the record and stores it.

After any failure, what was started is stopped, the record so far is kept, and a verdict is written in one step.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from harness.backends import Start
from harness.core.clock import now_ns
from harness.core.errors import SurroundingsError
from harness.core.frozen import dataclass
from harness.core.model import Verdict
from harness.core.signals import shielded
from harness.engine.preparation import prepare_run
from harness.engine.recording import Run, open_run, recording
from harness.engine.request import RunRequest
from harness.engine.running_stack import Stack, running_stack
from harness.records.store import LATEST

LEAST_FREE_BYTES = 1 << 21
"""Room for the verdict and its reports; on a file system with less, a log may be cut short too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A finished run: its folder and its verdict. ``interrupted``: by Ctrl-C or a signal; the record is kept."""

    path: Path
    verdict: Verdict
    interrupted: bool
    note: str | None = None


def run_cell(request: RunRequest, *, say: Callable[[str], None], start: Start | None = None) -> Result:
    """Run one cell, judge it and store it; ``start``: how a process of this machine is started, if not directly.

    Raises:
        UsageError: the SPEC or the interpreter can't be meant; there is no record then.
        SurroundingsError: the record itself could not be written.
        KeyboardInterrupt: interrupted before there was anything to record.
    """
    started_ns = now_ns()
    with prepare_run(request, start, say) as prepared:
        run = open_run(prepared.request, prepared.environment, say)
        with recording(run):
            run.enter("prepare", started_ns)
            environment, make_backend = prepared.require()
            with running_stack(run, environment, make_backend) as stack:
                from harness.engine.experiment import conduct

                conduct(stack)
            if run.cell.ledger:
                _close_ledger(run, stack)
        with shielded():
            result = _conclude(run)
    notes = [note for note in (prepared.note, *run.notes, result.note) if note is not None]
    return replace(result, note="\n".join(notes) or None)


def _close_ledger(run: Run, stack: Stack) -> None:
    from harness.engine.ledger import close_ledger, list_unfinished

    run.say("closing the ledger")
    run.sink.emit(close_ledger(run.cell, run.folder.logs, stack.clients))
    for fault in list_unfinished(run.folder.logs, offset_ns=stack.backend.clock_offset_ns):
        run.sink.emit(fault)


def _never_began(run: Run) -> bool:
    """Whether nothing was started, so that an earlier run stays the latest."""
    return run.phase == "prepare" and (run.folder.path.parent / LATEST).exists()


def _conclude(run: Run) -> Result:
    """Judge the record as it lies on disk, exactly as `harness judge` will; write the verdict and the reports."""
    from harness.engine.conclusion import judge_stored, store_reports

    run.sink.close()
    run.sink.check()
    free_bytes = shutil.disk_usage(run.folder.path).free
    if free_bytes < LEAST_FREE_BYTES:
        raise SurroundingsError(
            what=f"Only {free_bytes} bytes are free in {run.folder.path}: the record may be cut short.",
            remedy=f"Make room there (`df {run.folder.path}`), or name another folder with --out.",
        )
    verdict = judge_stored(run.folder)
    store_reports(run.folder)
    note = None if _never_began(run) else run.folder.link_latest()
    return Result(path=run.folder.path, verdict=verdict, interrupted=run.interrupted, note=note)
