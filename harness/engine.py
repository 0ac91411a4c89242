"""One cell from left to right: environment, stage, control, load, settle; then judge the record and store it.

Whatever goes wrong, what was started is stopped, the record so far is kept, and a verdict is written in one piece.
The CLI and the pytest plugin are the only users; they differ in the back end that starts the processes.
"""

from __future__ import annotations

import shutil
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness import drive, ready, tools
from harness.backends import Backend, Watchers
from harness.clock import now_ns
from harness.errors import HarnessError, SurroundingsError, UnrunnableError, UsageError
from harness.facts import collect_facts, collect_surroundings
from harness.ledger.closing import Clients, await_last_lines, close_ledger
from harness.load import choose_load
from harness.model import Cell, Outcome, Verdict
from harness.stage import TRACE_FILE, GunicornPlan, Places, make_places, plan_gunicorn, start_proxy
from harness.store import RunFolder, cell_id, cell_to_json, create_run
from harness.watch.progress import Progress
from harness.watch.sink import EventSink

if TYPE_CHECKING:
    from harness.environments import Environment

LEAST_FREE_BYTES = 1 << 21
"""Room for the verdict and its reports; a file system with less may also have cut somebody's log short."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the user asked for, beside the cell: where the record goes and what gunicorn is made of."""

    cell: Cell
    out: Path
    python: str | None = None
    settings: Path | None = None  # the user's own gunicorn settings; None is the fixture's
    app_folder: Path | None = None  # where the user's own app is imported from; None is the working folder
    load_named: bool = False  # else another load may stand in for one that can't be had
    load_note: str | None = None  # why it is another load than the cell's default
    label: str = ""  # goes before the cell in the folder's name
    app_text: str | None = None  # stands in for the fixture app, as a file of the same name
    enough: Callable[[Progress], bool] | None = None  # when to end the load early; None: after so many recycles
    memory: bool = False  # whether the memory of arbiter and workers is sampled
    all_ready: bool = False  # whether every worker has to say that it is ready before the first control request


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A finished run: its folder and its verdict. ``interrupted``: somebody pressed Ctrl-C; the record is kept."""

    path: Path
    verdict: Verdict
    interrupted: bool
    note: str | None = None


@dataclass(slots=True, kw_only=True)
class Run:
    """A run under way."""

    wish: Wish
    cell: Cell
    folder: RunFolder
    sink: EventSink
    say: Callable[[str], None]
    phase: str = "prepare"
    interrupted: bool = False

    def enter(self, phase: str, at_ns: int | None = None) -> None:
        """A new phase begins."""
        self.phase = phase
        self.sink.emit("phase", at_ns, name=phase)


def run_cell(wish: Wish, *, make_backend: Callable[[str, Path], Backend], say: Callable[[str], None]) -> Result:
    """Run one cell, judge it and store it.

    Raises:
        UsageError: the SPEC or the interpreter can't be meant; there is no record then.
        SurroundingsError: the record itself could not be written.
        KeyboardInterrupt: interrupted before there was anything to record.
    """
    started_ns = now_ns()
    prepared = _prepare(wish, make_backend, say)
    run = open_run(prepared.wish, prepared.environment, say)
    run.enter("prepare", started_ns)
    with _recording(run):
        if prepared.environment is None:
            raise prepared.problem or UnrunnableError(what="There is no environment, and nobody said why.")
        _experiment(run, prepared.environment, prepared.make_backend)
    with shielded():
        result = _conclude(run)
    notes = [note for note in (prepared.note, result.note) if note is not None]
    return replace(result, note="\n".join(notes) or None)


def settle_load(wish: Wish) -> Wish:
    """The wish with a load that can be had here, where nobody named one; what another back end has is not known."""
    if wish.load_named or wish.cell.backend != "local":
        return wish
    cell, note = choose_load(wish.cell)
    return replace(wish, cell=cell, load_note=note)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """Where gunicorn will live: what is wished for, on the back end that it came to, and what it runs in."""

    wish: Wish
    make_backend: Callable[[str, Path], Backend]
    environment: Environment | None
    problem: HarnessError | None
    note: str | None = None


def _prepare(wish: Wish, make_backend: Callable[[str, Path], Backend], say: Callable[[str], None]) -> _Prepared:
    """The environment here, or in an image; in an image also where no Python here will do and an engine answers."""
    if wish.cell.backend == "docker":
        return _prepare_images(wish, make_backend, say)
    settled = settle_load(wish)
    environment, problem = prepare_environment(settled, say)
    if problem is not None and _falls_through(wish, problem):
        return _go_on_in_containers(wish, make_backend, problem, say)
    return _Prepared(wish=settled, make_backend=make_backend, environment=environment, problem=problem)


def _go_on_in_containers(
    wish: Wish,
    make_backend: Callable[[str, Path], Backend],
    problem: HarnessError,
    say: Callable[[str], None],
) -> _Prepared:
    say("no Python here runs this release, and a Docker engine answers: going on with --backend docker")
    prepared = _prepare_images(replace(wish, cell=replace(wish.cell, backend="docker")), make_backend, say)
    environment, note = prepared.environment, "It ran with --backend docker: no Python here runs this release."
    if environment is not None:
        looked_at = (*getattr(problem, "looked_at", ()), *environment.looked_at)
        environment = replace(environment, looked_at=looked_at)
    return replace(prepared, environment=environment, note=note)


def _falls_through(wish: Wish, problem: HarnessError) -> bool:
    from harness.containers import engine as containers
    from harness.containers.images import why_not
    from harness.fitting import NoInterpreterError

    can_go = isinstance(problem, NoInterpreterError) and not wish.memory and why_not(wish.cell) is None
    return can_go and containers.answers()


def _prepare_images(wish: Wish, make_backend: Callable[[str, Path], Backend], say: Callable[[str], None]) -> _Prepared:
    from harness.backends.docker import DockerBackend
    from harness.containers.images import prepare

    try:
        environment, images = prepare(wish.cell, python=wish.python, say=say)
    except UsageError:
        raise
    except HarnessError as problem:
        return _Prepared(wish=wish, make_backend=make_backend, environment=None, problem=problem)

    def make(marker: str, run_folder: Path) -> Backend:
        return DockerBackend(marker, run_folder, images=images, cell=wish.cell)

    return _Prepared(wish=wish, make_backend=make, environment=environment, problem=None)


def prepare_environment(wish: Wish, say: Callable[[str], None]) -> tuple[Environment | None, HarnessError | None]:
    """The environment for what is wished, or why there is none; UsageError where it can't be meant."""
    from harness.environments import prepare
    from harness.spec import parse_spec

    spec = parse_spec(wish.cell.spec)
    try:
        return prepare(spec, python=wish.python, worker=wish.cell.worker, say=say), None
    except UsageError:
        raise
    except HarnessError as problem:
        return None, problem


def open_run(wish: Wish, environment: Environment | None, say: Callable[[str], None]) -> Run:
    """A fresh folder for the record, with the cell and its surroundings in it; SurroundingsError where it can't be."""
    cell, label = wish.cell, wish.cell.spec.rstrip("/").rpartition("/")[2]
    if environment is not None:
        cell = replace(cell, gunicorn=environment.gunicorn_version, python=environment.python_version)
        label = environment.label
    folder = create_run(wish.out, wish.label + cell_id(cell, label))
    folder.write_json("cell.json", cell_to_json(cell))
    folder.write_json("facts.json", collect_surroundings(folder.run_id))
    return Run(wish=wish, cell=cell, folder=folder, sink=EventSink(folder.path / "events.jsonl"), say=say)


@contextmanager
def _recording(run: Run) -> Iterator[None]:
    """Whatever ends the experiment becomes an event; the verdict follows from the events."""
    try:
        yield
    except KeyboardInterrupt:
        run.interrupted = True
        run.sink.emit("interrupted", phase=run.phase)
    except HarnessError as problem:
        outcome = Outcome.UNRUNNABLE if isinstance(problem, UnrunnableError) else Outcome.ERROR
        log = _keep_log(run, problem.log) if problem.log else None
        what = " ".join([problem.what, *getattr(problem, "__notes__", [])])
        run.sink.emit(
            "fault", outcome=outcome.value, type=type(problem).__name__, what=what, remedy=problem.remedy, log=log
        )
    except Exception as problem:  # noqa: BLE001 - a bug of ours must not look like a verdict, and must not be lost
        run.folder.write_text("logs/harness.traceback.log", traceback.format_exc())
        run.sink.emit(
            "fault",
            outcome=Outcome.ERROR.value,
            type=type(problem).__name__,
            what=f"The harness itself failed: {type(problem).__name__}: {problem}",
            remedy="Report it, with this record.",
            log="logs/harness.traceback.log",
        )


def _keep_log(run: Run, log: Path) -> str:
    """A log's name inside the record; one that lies elsewhere (what the installer said) is copied into it."""
    if log.is_relative_to(run.folder.path):
        return str(log.relative_to(run.folder.path))
    try:
        shutil.copyfile(log, run.folder.logs / "install.log")
    except OSError:
        return str(log)  # it can't be kept, but it is where it was
    return "logs/install.log"


def _experiment(run: Run, environment: Environment, make_backend: Callable[[str, Path], Backend]) -> None:
    """Start everything, drive it, and stop everything; the window is closed before anything is torn down."""
    backend = make_backend(run.folder.run_id, run.folder.path)
    crew, clients = backend.watchers(run.sink), Clients()
    run.sink.listen(clients.hear)
    try:
        run.enter("boot")
        moving = _set_stage(run, environment, backend, crew)
        run.enter("control")
        ready.send_controls(moving.stage, moving.progress, run.sink)
        _drive(run, moving, crew)
    finally:
        with shielded():
            try:
                crew.stop()
                run.enter("closed")
                if run.cell.ledger:
                    await_last_lines(run.cell, run.folder.logs, clients, fetch=backend.fetch)
            finally:
                backend.close()
                run.enter("ended")
    if run.cell.ledger:
        run.say("closing the ledger")
        run.sink.emit("ledger", now_ns(), **close_ledger(run.cell, run.folder.logs, clients))


def _set_stage(run: Run, environment: Environment, backend: Backend, crew: Watchers) -> drive.Drive:
    """Everything started, and both gunicorn and the proxy seen to answer."""
    cell, folder = run.cell, run.folder
    load_tool = drive.find_load_tool(cell, backend)  # what is missing should be said before anything was started
    places, progress = make_places(backend), Progress()
    run.sink.listen(progress.hear)
    plan = plan_gunicorn(
        cell,
        folder,
        places,
        python=str(environment.python),
        shims=environment.shims,
        settings=run.wish.settings,
        app_folder=run.wish.app_folder,
        app_text=run.wish.app_text,
    )
    _watch(run, crew, places, environment)
    run.say(f"starting gunicorn {cell.gunicorn} on Python {cell.python}")
    proxy = start_proxy(cell, folder, places, backend, plan.address)
    process = backend.spawn(plan.command)
    run.sink.emit("arbiter", state="started", pid=process.pid)
    crew.watch_arbiter(process.pid, memory=run.wish.memory)
    stage = ready.Stage(
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
    ready.await_gunicorn(stage, progress)
    ready.await_proxy(stage, progress)
    if run.wish.all_ready:
        ready.await_workers(stage, progress)
    return drive.Drive(
        stage=stage,
        backend=backend,
        progress=progress,
        sink=run.sink,
        say=run.say,
        tool=load_tool,
        pause_probes=crew.pause_probes,
        enough=run.wish.enough,
    )


def _watch(run: Run, crew: Watchers, places: Places, environment: Environment) -> None:
    logs = run.folder.logs
    site = str(environment.path)
    crew.watch_files(run.cell, logs=logs, socket=places.socket, trace=logs / TRACE_FILE, site=site)


def _write_facts(
    run: Run, environment: Environment, plan: GunicornPlan, stage: ready.Stage, load_tool: tools.Tool
) -> None:
    """While gunicorn boots, which takes longer."""
    facts = collect_facts(
        cell=run.cell,
        run_id=run.folder.run_id,
        environment=environment,
        plan=plan,
        proxy=stage.proxy,
        load_tool=load_tool,
        load_note=run.wish.load_note,
        brought=list_brought(run.wish),
        containers=stage.backend.facts(),
    )
    run.folder.write_json("facts.json", facts)


def list_brought(wish: Wish) -> list[str]:
    """What this wish puts in the place of the fixtures, in words."""
    app = ["app: one that was made for this run, see config/"] if wish.app_text is not None else []
    return app + (["settings: more than the cell's values, see config/config.py"] if wish.settings else [])


def _drive(run: Run, moving: drive.Drive, crew: Watchers) -> None:
    stage = moving.stage
    ways = {"direct": stage.address}
    if stage.proxy is not None:
        ways["proxy"] = stage.client_address
    run.enter("load")
    crew.probe(ways, ledger=run.cell.ledger)
    drive.run_load(moving)
    run.enter("settle")
    crew.hurry_probes()
    drive.settle(moving)


def _conclude(run: Run) -> Result:
    """Judge the record as it lies on disk, exactly as `harness judge` will, and write everything that follows."""
    from harness.rejudge import judge_stored, store_reports

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


@contextmanager
def shielded() -> Iterator[None]:
    """Ctrl-C has been heard; a second one must not leave anything running. Bounded: stopping takes a second at most."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
