"""gunicorn and h2o one by one, for tests that play a scenario of their own; nothing here is judged.

A scene leaves a record too (cell, events, logs, config), only without a verdict.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

from harness.backends import Backend
from harness.core.errors import UnrunnableError
from harness.core.events.servers import ArbiterStarted
from harness.engine import preparation, readiness, recording, stage
from harness.engine.recording import Run
from harness.engine.request import RunRequest
from harness.provision.environments import Environment
from harness.watch.progress import Progress
from harness.watch.watchers import LocalWatchers


def silent(_text: str) -> None:
    """Nobody looks at a live line under pytest."""


class Scene:
    """One record with its servers, as a context manager: whatever was started in it has ended when it is left."""

    def __init__(self, request: RunRequest, make_backend: Callable[[str, Path], Backend]) -> None:
        self._wish = request
        self._make_backend = make_backend
        self._closing = ExitStack()
        self.progress = Progress()
        self.environment: Environment
        self.run: Run
        self.backend: Backend
        self.stage: readiness.Stage
        self.watchers: LocalWatchers

    def __enter__(self) -> Scene:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, at: TracebackType | None
    ) -> None:
        with recording.shielded():
            self._closing.close()

    def start_gunicorn(self) -> GunicornServer:
        """Start the pinned gunicorn and wait for its first answer.

        Raises:
            UnrunnableError, SurroundingsError, UsageError: as for a whole run.
        """
        environment, problem = preparation.prepare_environment(self._wish, silent)
        if environment is None:
            raise problem or UnrunnableError(what="There is no environment, and nobody said why.")
        self.environment = environment
        self.run = recording.open_run(self._wish, environment, silent)
        self._closing.callback(self.run.sink.close)
        self.run.sink.listen(self.progress.hear)
        self.backend = self._make_backend(self.run.folder.run_id, self.run.folder.path)
        self._closing.callback(self.backend.close)
        self._boot()
        return GunicornServer(scene=self)

    def _boot(self) -> None:
        run = self.run
        self.backend.require_room(run.cell)
        places = stage.make_places(self.backend)
        self.watchers = watchers = LocalWatchers(run.sink)
        self._closing.callback(watchers.stop)
        run.enter("boot")
        plan = stage.plan_gunicorn(
            run.cell,
            run.folder,
            places,
            python=str(self.environment.python),
            shims=self.environment.shims,
            settings=self._wish.settings,
            app_folder=self._wish.app_folder,
        )
        logs = run.folder.logs
        site = str(self.environment.path)
        watchers.watch_files(run.cell, logs=logs, socket=places.socket, trace=logs / stage.TRACE_FILE, site=site)
        process = self.backend.spawn(plan.command)
        run.sink.emit(ArbiterStarted(pid=process.pid))
        watchers.watch_arbiter(process.pid)
        self.stage = readiness.Stage(
            cell=run.cell,
            run=run.folder,
            places=places,
            backend=self.backend,
            gunicorn=process,
            address=plan.address,
            proxy=None,
            python_version=self.environment.python_version,
        )
        readiness.await_gunicorn(self.stage, self.progress)

    def start_h2o(self) -> H2oProxy:
        """Start h2o in front of gunicorn and wait until a request through it is answered with 200.

        Raises:
            SurroundingsError: h2o is missing, did not start, or can't reach gunicorn.
        """
        now = self.stage
        proxy = stage.start_proxy(now.cell, now.run, now.places, self.backend, now.address)
        self.stage = replace(now, proxy=proxy)
        readiness.await_proxy(self.stage, self.progress)
        return H2oProxy(scene=self, address=self.stage.client_address)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class GunicornServer:
    """A gunicorn that has answered. What it is and how it fares; ``folder`` holds its record."""

    scene: Scene

    @property
    def version(self) -> str:
        """The version that gunicorn says it has."""
        return self.scene.environment.gunicorn_version

    @property
    def python_version(self) -> str:
        """The full version of the interpreter that it runs on."""
        return self.scene.environment.python_version

    @property
    def address(self) -> str:
        """What it listens on: ``unix:PATH`` or ``HOST:PORT``."""
        return self.scene.stage.address

    @property
    def socket(self) -> Path | None:
        """The path of its Unix socket, whether or not the file is still there; None over TCP."""
        return Path(self.address.removeprefix("unix:")) if self.address.startswith("unix:") else None

    @property
    def pid(self) -> int:
        """The arbiter's pid."""
        return self.scene.stage.gunicorn.pid

    @property
    def folder(self) -> Path:
        """The folder of the record."""
        return self.scene.run.folder.path

    @property
    def logs(self) -> Path:
        """The folder of the logs: gunicorn.error.log, gunicorn.access.log, h2o.access.log, ..."""
        return self.scene.run.folder.logs

    @property
    def live_workers(self) -> int:
        """How many workers live, as sampled a moment ago."""
        return self.scene.progress.live_workers

    @property
    def recycles(self) -> int:
        """How many workers have ended so far because they had served max_requests."""
        return self.scene.progress.recycles

    def alive(self) -> bool:
        """Whether the arbiter lives."""
        return self.scene.stage.gunicorn.poll() is None

    def describe(self) -> str:
        """What was run, how it fared, and where the record lies: three lines."""
        cell = self.scene.run.cell
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
