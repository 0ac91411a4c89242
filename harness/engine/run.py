"""Runs one cell from start to end: environment, stack, control, load, settle; then judges the record and stores it.

After any failure, what was started is stopped, the record so far is kept, and a verdict is written in one step.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from harness.backends import Start
from harness.core.clock import now_ns
from harness.core.errors import SurroundingsError
from harness.core.model import Verdict
from harness.core.signals import shielded
from harness.core.startup import import_ahead
from harness.engine.facts import collect_facts
from harness.engine.fleet import await_fleet
from harness.engine.idle_workers import ask_idle_workers
from harness.engine.ledger import close_ledger, list_unfinished
from harness.engine.leftovers import look_at_files, look_for_strays
from harness.engine.load_phase import run_load
from harness.engine.options import run_arguments
from harness.engine.preparation import prepare_run
from harness.engine.readiness import await_ready, send_controls
from harness.engine.recording import Run, open_run, recording
from harness.engine.recovering import climb_ladder
from harness.engine.request import RunRequest, list_brought
from harness.engine.running_stack import Stack, find_load_tool, running_stack
from harness.engine.settling import settle
from harness.engine.stopping import stop_in_order
from harness.records.store import LATEST
from harness.stack.answers import sends_ids_back

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
                _experiment(stack)
            if run.cell.ledger:
                run.say("closing the ledger")
                run.sink.emit(close_ledger(run.cell, run.folder.logs, stack.clients))
                for fault in list_unfinished(run.folder.logs, offset_ns=stack.backend.clock_offset_ns):
                    run.sink.emit(fault)
        with shielded():
            result = _conclude(run)
    notes = [note for note in (prepared.note, result.note) if note is not None]
    return replace(result, note="\n".join(notes) or None)


def _experiment(stack: Stack) -> None:
    """Run from the start of the servers to the ordered stop, before which the window is closed."""
    run, watchers = stack.run, stack.watchers
    import_ahead()  # both while gunicorn boots, which takes longer
    _write_facts(stack)
    boot_s = stack.masters.boot_s = await_ready(stack)
    if not await_fleet(stack, boot_s=boot_s):
        return
    run.enter("control")
    send_controls(stack)
    look_at_files(stack, "before")
    run.enter("load")
    watchers.probe(stack.ways, ledger=stack.cell.ledger, compares=sends_ids_back(stack.cell), asked=stack.asked)
    run_load(stack)
    run.enter("settle")
    watchers.hurry_probes()
    settle(stack, boot_s=boot_s)
    look_at_files(stack, "settled")
    look_for_strays(stack)
    ask_idle_workers(stack)
    climb_ladder(stack)
    stop_in_order(stack, boot_s=boot_s)


def _write_facts(stack: Stack) -> None:
    run = stack.run
    own = run.request.own.resolved if run.request.own is not None else None
    facts = collect_facts(
        cell=stack.cell,
        run_id=run.folder.run_id,
        environment=stack.environment,
        command=stack.command,
        proxy=stack.proxy,
        load_tool=find_load_tool(stack.cell, stack.backend),
        load_note=run.request.load_note,
        brought=list_brought(run.request),
        containers=stack.backend.facts(),
        settings=own.to_json() if own is not None else (),
        repeat=["harness", "reproduce", *run_arguments(run.request)] if own is not None else (),
    )
    run.folder.write_json("facts.json", facts)


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
