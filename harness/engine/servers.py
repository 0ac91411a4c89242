"""How gunicorn and the proxy of a run are started: their files in the record's ``config``, their commands, their ports.

``harness.stack`` writes their settings; the back end decides where their processes live.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path

from harness.backends import Backend, Command, Process
from harness.core.addresses import as_gunicorn_setting
from harness.core.frozen import dataclass
from harness.core.model import Cell, Json
from harness.core.paths import fixtures_dir
from harness.core.ports import find_free_port
from harness.disturb import list_needs
from harness.disturb.aims import HELD_S
from harness.disturb.course import Prerequisite
from harness.engine.accounts import NOTES_FILE
from harness.engine.request import RunRequest
from harness.engine.scratch import ScratchFolder
from harness.provision import era, tools
from harness.provision.environments import Environment
from harness.records.store import RunFolder
from harness.stack import gunicorn
from harness.stack.proxies import PROXIES, Proxy
from harness.stack.proxies.setting import Setting
from harness.watch.watchers import APP_FAULTS_FILE

PASSED_ON = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR")
"""The variables of the user's environment that the servers get: an allow-list, so that no secret gets into a record."""

TRACE_FILE = "trace.jsonl"
ACCESS_LOG = "gunicorn.access.log"
TRACER, ERA = "trace", "era"
HELD_VARIABLE = "RECYCLE_HARNESS_HELD_S"
NOTES_VARIABLE = "RECYCLE_HARNESS_NOTES"
HANGING_FILE = "hanging.txt"
"""The workers that got a request which hangs, below ``logs``; see ``fixtures/hanging.py``."""
APP_FAULTS_VARIABLE = "RECYCLE_HARNESS_APP_FAULTS"


def base_environment(home: Path) -> dict[str, str]:
    """The environment of every process of a run."""
    passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {**passed, "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}


def choose_address(cell: Cell, scratch: ScratchFolder) -> str:
    """The address on which gunicorn is to listen; see ``core.addresses``."""
    if cell.bind == "unix":
        return f"unix:{scratch.socket}"
    return f"unix:@{scratch.base.name}" if cell.bind == "abstract" else f"127.0.0.1:{find_free_port()}"


def configure_gunicorn(
    cell: Cell, folder: RunFolder, scratch: ScratchFolder, environment: Environment, request: RunRequest, *, bind: str
) -> Command:
    """Write gunicorn's files into the run's config folder; gives the command that starts it on ``bind``."""
    template = (fixtures_dir() / "config.py.in").read_text()
    own = request.own.resolved if request.own is not None else None
    bind = as_gunicorn_setting(bind)
    if request.settings is not None:
        template = gunicorn.put_before_values(request.settings.read_text(), template)
    access_log = str(folder.logs / ACCESS_LOG)
    text = gunicorn.render_config(template, cell, bind=bind, access_log=access_log, shims=environment.shims)
    if own is not None:
        from harness.stack.own_settings.writing import render_owned

        text = render_owned(
            own.text, own.overrides, worker=cell.worker, bind=bind, access_log=access_log, shims=environment.shims
        )
    env = base_environment(scratch.home)
    if cell.app is not None and cell.ledger:
        folder.write_text("config/noting.py", (fixtures_dir() / "noting.py").read_text(), shared=True)
        text += gunicorn.render_noting(str(folder.config / "noting.py"))
        env[NOTES_VARIABLE] = str(_prepare_notes(folder, NOTES_FILE))
        env[APP_FAULTS_VARIABLE] = str(_prepare_notes(folder, APP_FAULTS_FILE))
    if Prerequisite.HANGING_APP in list_needs(cell):
        folder.write_text("config/hanging.py", (fixtures_dir() / "hanging.py").read_text(), shared=True)
        told = _prepare_notes(folder, HANGING_FILE)
        text += gunicorn.render_hanging(str(folder.config / "hanging.py"), str(told))
    folder.write_text("config/config.py", text)
    app = gunicorn.fixture_app(cell.worker)
    if cell.app is None:
        _place_app(app, folder, request.app_text)
        if cell.ledger:
            app = gunicorn.noting_app(cell.worker)
            _place_app(app, folder, None)
            _place_app("asked", folder, None)  # which it imports
            env[NOTES_VARIABLE] = str(_prepare_notes(folder, NOTES_FILE))
    startup = []  # folders with files that Python loads by itself, before gunicorn
    if cell.trace:
        env |= _plant_tracer(folder, scratch)
        if Prerequisite.TRACER in list_needs(cell):
            env[HELD_VARIABLE] = str(HELD_S)
        startup.append(folder.config / TRACER)
    if environment.era_shims:
        era.plant(environment.era_shims, folder.config / ERA)
        startup.append(folder.config / ERA)
    if own is not None:
        startup.append(request.app_folder or Path.cwd())  # from where the settings import
        env |= {name: os.environ[name] for name in ("WEB_CONCURRENCY",) if name in os.environ}
    if startup:
        env["PYTHONPATH"] = os.pathsep.join(map(str, startup))
    config = str(folder.config / "config.py")
    return Command(
        name="gunicorn",
        argv=gunicorn.render_command(str(environment.python), cell.app or app, config, environment.shims),
        env=env,
        cwd=(request.app_folder or Path.cwd()) if cell.app else folder.config,
        stdout=folder.logs / "gunicorn.out.log",
        stderr=folder.logs / "gunicorn.error.log",
    )


def _place_app(app: str, folder: RunFolder, text: str | None) -> None:
    name = app.partition(":")[0] + ".py"
    folder.write_text(f"config/{name}", (fixtures_dir() / name).read_text() if text is None else text, shared=True)


def _prepare_notes(folder: RunFolder, name: str) -> Path:
    """An empty file that every worker may append to, whatever its user."""
    notes = folder.logs / name
    notes.touch()
    notes.chmod(0o666)
    return notes


def _plant_tracer(folder: RunFolder, scratch: ScratchFolder) -> Mapping[str, str]:
    place = folder.config / TRACER
    place.mkdir()
    for name in ("sitecustomize.py", "recycle_harness_doings.py"):
        shutil.copyfile(fixtures_dir() / "trace" / name, place / name)
    return {
        "RECYCLE_HARNESS_TRACE_FILE": str(folder.logs / TRACE_FILE),
        "RECYCLE_HARNESS_TRACE_PATH": str(scratch.socket),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedProxy:
    """A proxy that listens, or is about to."""

    process: Process
    port: int
    user: str | None  # the user that it switches to
    tool: tools.Tool
    module: Proxy
    command: Sequence[str]
    own: Mapping[str, Json] = field(default_factory=dict)  # what the run changed in the user's own configuration


def start_proxy(
    cell: Cell, folder: RunFolder, scratch: ScratchFolder, backend: Backend, *, upstream: str
) -> StartedProxy | None:
    """Start the cell's proxy in front of ``upstream``; None where the cell has none.

    Raises:
        SurroundingsError: the program is missing, can't be executed, or its port is taken.
        UsageError: the user's own configuration can't be honoured.
    """
    module = PROXIES[cell.proxy]
    if module is None:
        return None
    tool = backend.find_tool(module.RECIPE.name, f"--proxy {cell.proxy}")
    port, user = backend.choose_port(cell.port), backend.find_proxy_user(module)
    setting = Setting(
        port=port,
        upstream=upstream,
        folder=str(scratch.proxy),
        keepalive=cell.upstream_keepalive,
        user=user,
        connections=cell.connections,
    )
    env, own = {**base_environment(scratch.home), **tool.env}, {}
    name = module.CONFIG
    if cell.proxy_config is None:
        template = (fixtures_dir() / "proxies" / module.TEMPLATE).read_text()
        text = module.render_config(template, setting)
    else:
        from harness.engine.own_proxy import adapt_own, name_config, record_own

        name, adapted = name_config(cell), adapt_own(cell, tool, setting, env)
        text, own = adapted.text, record_own(folder, adapted)
    folder.write_text(f"config/{name}", text)
    argv = module.render_command(str(tool.path), str(folder.config / name))
    command = Command(
        name=cell.proxy,
        argv=argv,
        env=env,
        cwd=folder.config,
        stdout=folder.logs / f"{cell.proxy}.access.log",
        stderr=folder.logs / f"{cell.proxy}.error.log",
    )
    process = backend.spawn(command)
    return StartedProxy(process=process, port=port, user=user, tool=tool, module=module, command=argv, own=own)
