"""One cell from left to right: environment, stage, control, load, settle; then judge the record and store it.

Whatever goes wrong, what was started is stopped, the record so far is kept, and a verdict is written in one piece.
The CLI and the pytest plugin are the only users; they differ in the back end that starts the processes.
"""

from __future__ import annotations

import contextlib
import importlib
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.backends import Backend, MakeBackend, Start, Watchers
from harness.core.clock import now_ns
from harness.core.errors import SurroundingsError, UnrunnableError
from harness.core.events.course import Readiness
from harness.core.events.servers import ArbiterStarted
from harness.core.model import Verdict
from harness.engine import load_phase, readiness
from harness.engine.facts import collect_facts
from harness.engine.ledger import Clients, await_last_lines, close_ledger
from harness.engine.preparation import prepare_run
from harness.engine.recording import Run, open_run, recording, shielded
from harness.engine.request import RunRequest, list_brought
from harness.engine.stage import TRACE_FILE, GunicornPlan, Places, make_places, plan_gunicorn, start_proxy
from harness.provision import tools
from harness.watch.progress import Progress

if TYPE_CHECKING:
    from harness.provision.environments import Environment

LEAST_FREE_BYTES = 1 << 21
"""Room for the verdict and its reports; a file system with less may also have cut somebody's log short."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A finished run: its folder and its verdict. ``interrupted``: somebody pressed Ctrl-C; the record is kept."""

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
    prepared = prepare_run(request, start, say)
    run = open_run(prepared.request, prepared.environment, say)
    run.enter("prepare", started_ns)
    with recording(run):
        if prepared.environment is None or prepared.make_backend is None:
            raise prepared.problem or UnrunnableError(what="There is no environment, and nobody said why.")
        _experiment(run, prepared.environment, prepared.make_backend)
    with shielded():
        result = _conclude(run)
    notes = [note for note in (prepared.note, result.note) if note is not None]
    return replace(result, note="\n".join(notes) or None)


def _experiment(run: Run, environment: Environment, make_backend: MakeBackend) -> None:
    """Start everything, drive it, and stop everything; the window is closed before anything is torn down."""
    backend = make_backend(run.folder.run_id, run.folder.path)
    watchers, clients = backend.watchers(run.sink), Clients()
    run.sink.listen(clients.hear)
    try:
        run.enter("boot")
        moving = _set_stage(run, environment, backend, watchers)
        run.enter("control")
        readiness.send_controls(moving.stage, moving.progress, run.sink)
        _drive(run, moving, watchers)
    finally:
        with shielded():
            try:
                watchers.stop()
                run.enter("closed")
                if run.cell.ledger:
                    await_last_lines(run.cell, run.folder.logs, clients, fetch=backend.fetch)
            finally:
                backend.close()
                run.enter("ended")
    if run.cell.ledger:
        run.say("closing the ledger")
        run.sink.emit(close_ledger(run.cell, run.folder.logs, clients))


def _set_stage(run: Run, environment: Environment, backend: Backend, watchers: Watchers) -> load_phase.Drive:
    """Everything started, and both gunicorn and the proxy seen to answer."""
    cell, folder = run.cell, run.folder
    load_tool = load_phase.find_load_tool(cell, backend)  # what is missing should be said before anything was started
    backend.require_room(cell)
    places, progress = make_places(backend), Progress()
    run.sink.listen(progress.hear)
    plan = _plan(run, places, environment)
    _watch(run, watchers, places, environment)
    run.say(f"starting gunicorn {cell.gunicorn} on Python {cell.python}")
    proxy = start_proxy(cell, folder, places, backend, plan.address)
    spawned_ns, process = now_ns(), backend.spawn(plan.command)
    threading.Thread(target=_load_ahead, name="load-ahead", daemon=True).start()
    run.sink.emit(ArbiterStarted(pid=process.pid))
    watchers.watch_arbiter(process.pid, memory=run.request.memory)
    stage = readiness.Stage(
        cell=cell,
        run=folder,
        places=places,
        backend=backend,
        gunicorn=process,
        address=plan.address,
        proxy=proxy,
        python_version=environment.python_version,
    )
    _write_facts(run, environment, plan, stage, load_tool)
    given_up = readiness.await_gunicorn(stage, progress) + readiness.await_proxy(stage, progress)
    boot_s = (now_ns() - spawned_ns) / 1e9
    run.sink.emit(Readiness(given_up=given_up, queue=backend.read_queue()))
    if run.request.all_ready:
        readiness.await_workers(stage, progress)
    return load_phase.Drive(
        stage=stage,
        progress=progress,
        sink=run.sink,
        say=run.say,
        tool=load_tool,
        pause_probes=watchers.pause_probes,
        boot_s=boot_s,
        enough=run.request.enough,
    )


def _plan(run: Run, places: Places, environment: Environment) -> GunicornPlan:
    return plan_gunicorn(
        run.cell,
        run.folder,
        places,
        python=str(environment.python),
        shims=environment.shims,
        settings=run.request.settings,
        app_folder=run.request.app_folder,
        app_text=run.request.app_text,
    )


def _load_ahead() -> None:
    """Import what is needed soon and takes a tenth of a second to load, while gunicorn boots, which takes longer."""
    with contextlib.suppress(ImportError):  # whoever needs it will say so
        importlib.import_module("httpx")
        importlib.import_module("httpcore")
        importlib.import_module("harness.engine.conclusion")
        importlib.import_module("harness.report.as_html")


def _watch(run: Run, watchers: Watchers, places: Places, environment: Environment) -> None:
    logs = run.folder.logs
    site = str(environment.path)
    watchers.watch_files(run.cell, logs=logs, socket=places.socket, trace=logs / TRACE_FILE, site=site)


def _write_facts(
    run: Run, environment: Environment, plan: GunicornPlan, stage: readiness.Stage, load_tool: tools.Tool
) -> None:
    """While gunicorn boots, which takes longer."""
    facts = collect_facts(
        cell=run.cell,
        run_id=run.folder.run_id,
        environment=environment,
        plan=plan,
        proxy=stage.proxy,
        load_tool=load_tool,
        load_note=run.request.load_note,
        brought=list_brought(run.request),
        containers=stage.backend.facts(),
    )
    run.folder.write_json("facts.json", facts)


def _drive(run: Run, moving: load_phase.Drive, watchers: Watchers) -> None:
    stage = moving.stage
    ways = {"direct": stage.address}
    if stage.proxy is not None:
        ways["proxy"] = stage.client_address
    run.enter("load")
    watchers.probe(ways, ledger=run.cell.ledger)
    load_phase.run_load(moving)
    run.enter("settle")
    watchers.hurry_probes()
    load_phase.settle(moving)


def _conclude(run: Run) -> Result:
    """Judge the record as it lies on disk, exactly as `harness judge` will, and write everything that follows."""
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
    note = run.folder.link_latest()
    return Result(path=run.folder.path, verdict=verdict, interrupted=run.interrupted, note=note)
