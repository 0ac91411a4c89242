"""Sets the stage for one cell: folders, configuration files, gunicorn, the proxy, and the proof that both answer.

Readiness is an answered request, never a line of a log, and every wait notices a death at once. Nothing here judges:
what fails because the set-up is broken is raised as an error, what gunicorn does is left to the watchers.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.backends import Backend, Command, Process
from harness.core.errors import SurroundingsError
from harness.core.model import Cell
from harness.core.paths import fixtures_dir
from harness.core.ports import find_free_port
from harness.engine.ledger import NOTES_FILE
from harness.provision import tools
from harness.records.store import RunFolder
from harness.stack import gunicorn
from harness.stack.proxies import PROXIES, Proxy
from harness.stack.proxies.setting import Setting

LONGEST_SOCKET_PATH = 107
"""Linux's sun_path holds 108 bytes, the last of them zero."""

PLAIN_PATH = re.compile(r"[A-Za-z0-9/._+@:,=~-]+")

PASSED_ON = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR")
"""The variables of the user's environment that the servers get: an allow-list, so that no secret gets into a record."""

RANDOM_BYTES = 4
"""In a temporary folder's name: one that exists already is refused by mkdir, and a socket's path must be short."""

TRACE_FILE = "trace.jsonl"
NOTES_VARIABLE = "RECYCLE_HARNESS_NOTES"


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where this run's short-lived things lie, outside of the record."""

    base: Path

    @property
    def socket(self) -> Path:
        """The path that gunicorn binds; its folder is open to the proxy's user."""
        return self.base / "socket" / "gunicorn.sock"

    @property
    def home(self) -> Path:
        """HOME of this run's gunicorn: recent releases keep a control socket there, which masters steal from others."""
        return self.base / "home"

    @property
    def load_ending(self) -> Path:
        """A file that tells the load to end, once it is there."""
        return self.base / "load-ending"

    @property
    def proxy(self) -> Path:
        """The proxy's own folder: its pid file and whatever else it would leave elsewhere."""
        return self.base / "proxy"


def make_places(backend: Backend) -> Places:
    """A fresh folder below the temporary folder; SurroundingsError where it can't be, or no socket could be there."""
    base = _temporary_folder() / f"recycle-{os.urandom(RANDOM_BYTES).hex()}"
    places = Places(base=base)
    if len(os.fsencode(places.socket)) > LONGEST_SOCKET_PATH:
        raise SurroundingsError(
            what=f"The socket's path {places.socket} is longer than the {LONGEST_SOCKET_PATH} bytes that Linux allows.",
            remedy="Set TMPDIR to a folder with a shorter path, such as /tmp.",
        )
    backend.adopt_folder(base)  # before it exists, so that no interruption can leave it behind
    try:
        for folder in (base, places.socket.parent, places.home, places.proxy):
            folder.mkdir()
            folder.chmod(0o755)  # whatever the umask: the proxy, which drops its user, has to reach the socket
    except OSError as problem:
        raise SurroundingsError(
            what=f"No temporary folder could be made in {base.parent}: {problem.strerror}.",
            remedy="Free some space there, or set TMPDIR to another folder.",
        ) from problem
    return places


def _temporary_folder() -> Path:
    """Whose path each server can read in its settings, whatever its quoting and the locale: nginx splits at blanks."""
    try:
        folder = Path(tempfile.gettempdir()).absolute()
    except FileNotFoundError as problem:
        raise SurroundingsError(
            what=f"There is no temporary folder: {problem.strerror}.", remedy="Set TMPDIR to a folder with some space."
        ) from problem
    if not PLAIN_PATH.fullmatch(str(folder)):
        raise SurroundingsError(
            what=f"The temporary folder {str(folder)!r} has a name that not every server can have in its settings.",
            remedy="Set TMPDIR to a folder without blanks, quotes or accents in its path, such as /tmp.",
        )
    return folder


def base_environment(home: Path) -> dict[str, str]:
    """What every server of a run gets."""
    passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {**passed, "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class GunicornPlan:
    """How gunicorn is started: the command, and where its clients find it (``unix:PATH`` or ``HOST:PORT``)."""

    command: Command
    address: str


def plan_gunicorn(
    cell: Cell,
    run: RunFolder,
    places: Places,
    *,
    python: str,
    shims: Sequence[str],
    settings: Path | None,
    app_folder: Path | None = None,
    app_text: str | None = None,
) -> GunicornPlan:
    """Write gunicorn's files into the run's config folder and say how it is started.

    ``app_folder``: gunicorn's working folder, from which it imports the user's own app; None is ours.
    ``app_text``: what stands in for the fixture app's file; None is the fixture.
    """
    address = f"unix:{places.socket}" if cell.bind == "unix" else f"127.0.0.1:{find_free_port()}"
    template = (fixtures_dir() / "config.py.in").read_text()
    if settings is not None:
        template = gunicorn.put_before_values(settings.read_text(), template)
    text = gunicorn.render_config(
        template, cell, bind=address, access_log=str(run.logs / "gunicorn.access.log"), shims=shims
    )
    run.write_text("config/config.py", text)
    env = base_environment(places.home)
    app = gunicorn.fixture_app(cell.worker)
    if cell.app is None:
        _place_app(app, run, app_text)
        if cell.ledger:
            app = gunicorn.noting_app(cell.worker)
            _place_app(app, run, None)
            env[NOTES_VARIABLE] = str(_prepare_notes(run))
    if cell.trace:
        env |= _plant_tracer(run, places)
    command = Command(
        name="gunicorn",
        argv=gunicorn.render_command(python, cell.app or app, str(run.config / "config.py"), shims),
        env=env,
        cwd=(app_folder or Path.cwd()) if cell.app else run.config,
        stdout=run.logs / "gunicorn.out.log",
        stderr=run.logs / "gunicorn.error.log",
    )
    return GunicornPlan(command=command, address=address)


def _prepare_notes(run: RunFolder) -> Path:
    """An empty file that every worker may append to, whoever it is."""
    notes = run.logs / NOTES_FILE
    notes.touch()
    notes.chmod(0o666)
    return notes


def _place_app(app: str, run: RunFolder, text: str | None) -> None:
    name = app.partition(":")[0] + ".py"
    run.write_text(f"config/{name}", (fixtures_dir() / name).read_text() if text is None else text)


def _plant_tracer(run: RunFolder, places: Places) -> Mapping[str, str]:
    folder = run.config / "trace"
    folder.mkdir()
    shutil.copyfile(fixtures_dir() / "trace" / "sitecustomize.py", folder / "sitecustomize.py")
    return {
        "PYTHONPATH": str(folder),
        "RECYCLE_HARNESS_TRACE_FILE": str(run.logs / TRACE_FILE),
        "RECYCLE_HARNESS_TRACE_PATH": str(places.socket),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedProxy:
    """A proxy that listens, or is about to."""

    process: Process
    port: int
    user: str | None  # whom it turns into
    tool: tools.Tool
    module: Proxy
    command: Sequence[str]


def start_proxy(cell: Cell, run: RunFolder, places: Places, backend: Backend, upstream: str) -> StartedProxy | None:
    """Start the cell's proxy in front of ``upstream``; None where the cell has none."""
    module = PROXIES[cell.proxy]
    if module is None:
        return None
    tool = backend.find_tool(module.RECIPE.name, f"--proxy {cell.proxy}")
    port, user = backend.choose_port(cell.port), backend.find_proxy_user(module)
    template = (fixtures_dir() / "proxies" / module.TEMPLATE).read_text()
    setting = Setting(
        port=port,
        upstream=upstream,
        folder=str(places.proxy),
        keepalive=cell.upstream_keepalive,
        user=user,
        connections=cell.connections,
    )
    run.write_text(f"config/{module.CONFIG}", module.render_config(template, setting))
    argv = module.render_command(str(tool.path), str(run.config / module.CONFIG))
    command = Command(
        name=cell.proxy,
        argv=argv,
        env={**base_environment(places.home), **tool.env},
        cwd=run.config,
        stdout=run.logs / f"{cell.proxy}.access.log",
        stderr=run.logs / f"{cell.proxy}.error.log",
    )
    return StartedProxy(process=backend.spawn(command), port=port, user=user, tool=tool, module=module, command=argv)
