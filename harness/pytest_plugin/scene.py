"""gunicorn and h2o one by one, for tests that play a scenario of their own; nothing here is judged.

A scene leaves a record too (cell, events, logs, config), only without a verdict.
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from pathlib import Path
from types import TracebackType

from harness.backends import BACKENDS, MakeBackend
from harness.core.errors import UnrunnableError, UsageError
from harness.core.frozen import dataclass
from harness.core.model import Cell
from harness.core.signals import shielded
from harness.engine.preparation import prepare_environment, settle_settings
from harness.engine.readiness import await_gunicorn, await_proxy
from harness.engine.recording import open_run
from harness.engine.request import RunRequest
from harness.engine.running_stack import Stack, running_stack, with_started_proxy


def require_local(cell: Cell) -> None:
    """Refuse a back end whose servers are no processes of this machine.

    Raises:
        UsageError: it is such a one.
    """
    if not BACKENDS[cell.backend].STARTS_HERE:
        raise UsageError(
            what=f"gunicorn_server, h2o_proxy and recycle_load are not for the {cell.backend} back end.",
            remedy="Use recycle_run there, or leave --gunicorn-backend out.",
        )


def silent(_text: str) -> None:
    """Print no live line under pytest."""


class Scene:
    """One record with its servers, as a context manager, which ends the servers at its exit."""

    def __init__(self, request: RunRequest, make_backend: MakeBackend) -> None:
        self._request = request
        self._make_backend = make_backend
        self._closing = ExitStack()
        self.stack: Stack

    def __enter__(self) -> Scene:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, at: TracebackType | None
    ) -> None:
        with shielded():
            self._closing.close()

    def start_gunicorn(self) -> GunicornServer:
        """Start the pinned gunicorn and wait for its first answer.

        Raises:
            UnrunnableError, SurroundingsError, UsageError: as for a whole run.
        """
        request = settle_settings(self._request, silent)
        environment, problem = prepare_environment(request, silent)
        if environment is None:
            raise problem or UnrunnableError(what="There is no environment, and no reason was given.")
        self._closing.enter_context(closing(environment))
        run = open_run(request, environment, silent)
        self._closing.callback(run.sink.close)
        parts = running_stack(run, environment, self._make_backend, with_proxy=False, with_load=False)
        self.stack = self._closing.enter_context(parts)
        await_gunicorn(self.stack)
        return GunicornServer(scene=self)

    def start_h2o(self) -> H2oProxy:
        """Start h2o in front of gunicorn and wait until a request through it is answered with 200.

        Raises:
            SurroundingsError: h2o is missing, did not start, or can't reach gunicorn.
        """
        self.stack = with_started_proxy(self.stack)
        await_proxy(self.stack)
        if self.stack.proxy is not None:
            self.stack.watchers.meet_clients(self.stack.proxy.process.pid)
        return H2oProxy(scene=self, address=self.stack.client_address)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class GunicornServer:
    """A gunicorn that has answered: its versions, address and state; ``folder`` holds its record."""

    scene: Scene

    @property
    def version(self) -> str:
        """The version that gunicorn says it has."""
        return self.scene.stack.environment.gunicorn_version

    @property
    def python_version(self) -> str:
        """The full version of the interpreter that it runs on."""
        return self.scene.stack.environment.python_version

    @property
    def address(self) -> str:
        """What it listens on: ``unix:PATH`` or ``HOST:PORT``."""
        return self.scene.stack.address

    @property
    def socket(self) -> Path | None:
        """The path of its Unix socket, whether or not the file is still there; None over TCP."""
        return Path(self.address.removeprefix("unix:")) if self.address.startswith("unix:") else None

    @property
    def pid(self) -> int:
        """The arbiter's pid."""
        return self.scene.stack.gunicorn.pid

    @property
    def folder(self) -> Path:
        """The folder of the record."""
        return self.scene.stack.run.folder.path

    @property
    def logs(self) -> Path:
        """The folder of the logs: gunicorn.error.log, gunicorn.access.log, h2o.access.log, ..."""
        return self.scene.stack.run.folder.logs

    @property
    def live_workers(self) -> int:
        """How many workers live, as sampled a moment ago."""
        return self.scene.stack.progress.live_workers

    @property
    def recycles(self) -> int:
        """How many workers have ended so far because they had served max_requests."""
        return self.scene.stack.progress.recycles

    def alive(self) -> bool:
        """Whether the arbiter lives."""
        return self.scene.stack.gunicorn.poll() is None

    def describe(self) -> str:
        """What was run, how it fared, and where the record lies: three lines."""
        cell = self.scene.stack.run.cell
        socket = "" if self.socket is None else f", socket file {'there' if self.socket.exists() else 'GONE'}"
        return (
            f"gunicorn {self.version}, {cell.worker} worker, Python {self.python_version}, at {self.address}\n"
            f"arbiter {self.pid} {'alive' if self.alive() else 'dead'}, {self.recycles} recycles{socket}\n"
            f"record: {self.folder}"
        )

    def __repr__(self) -> str:
        return f"<gunicorn {self.version} at {self.address}, pid {self.pid}>"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class H2oProxy:
    """An h2o that has passed on a request. ``address`` is ``HOST:PORT``."""

    scene: Scene
    address: str

    @property
    def url(self) -> str:
        """Where clients go."""
        return f"http://{self.address}/"

    @property
    def port(self) -> int:
        """Its port of 127.0.0.1."""
        return int(self.address.rpartition(":")[2])

    def __repr__(self) -> str:
        return f"<h2o at {self.url}>"
