"""Starts and stops a whole stack: gunicorn, its proxy, and the watchers. No other module does.

A run of the command line, the fixtures of the pytest plugin and the catalogue's trials all use it. ``readiness`` finds
out whether the started servers are ready, and ``load_phase`` drives the load.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import field, replace
from pathlib import Path

from harness.backends import Backend, Command, MakeBackend, Process, Watchers
from harness.core.clock import now_ns
from harness.core.events.doings import HarnessSignalled
from harness.core.events.servers import ArbiterStarted
from harness.core.frozen import dataclass
from harness.core.model import Cell
from harness.core.signals import shielded
from harness.disturb import inherits_listener, list_turns
from harness.engine.accounts import Clients, await_last_lines
from harness.engine.inheritance import inherit, open_listener
from harness.engine.masters import Masters
from harness.engine.recording import Run
from harness.engine.scratch import ScratchFolder, make_scratch_folder
from harness.engine.servers import TRACE_FILE, StartedProxy, choose_address, configure_gunicorn, start_proxy
from harness.engine.serving_user import give_user, start_as_user
from harness.engine.stops import StopWatch
from harness.engine.timings import TIMINGS, Timings
from harness.provision import tools
from harness.provision.environments import Environment
from harness.stack.asked import ASKED, BODY_FILE, Asked, make_asked
from harness.watch.event_log import EventSink
from harness.watch.progress import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """What has been started for one run, for the modules that wait for it, drive it and watch it."""

    run: Run
    cell: Cell
    environment: Environment
    backend: Backend
    watchers: Watchers
    progress: Progress
    clients: Clients
    scratch: ScratchFolder
    address: str  # gunicorn's own: ``unix:PATH`` or ``HOST:PORT``
    command: Command  # gunicorn's
    masters: Masters
    spawned_ns: int  # when gunicorn was
    proxy: StartedProxy | None
    asked: Asked = ASKED  # what every client sends
    timings: Timings = field(default=TIMINGS, repr=False)
    stops: StopWatch = field(default_factory=StopWatch, repr=False)

    @property
    def gunicorn(self) -> Process:
        """The arbiter that serves now."""
        return self.masters.current

    @property
    def sink(self) -> EventSink:
        """The record's events."""
        return self.run.sink

    @property
    def logs(self) -> Path:
        """The record's folder of logs."""
        return self.run.folder.logs

    @property
    def arbiter_pid(self) -> int:
        """The arbiter's pid, as its watchers see it."""
        return self.gunicorn.pid

    def signal_arbiter(self, number: int, reason: str) -> None:
        """Send the arbiter a signal, recorded as the harness's own doing before it is sent; ``reason``: a few words."""
        self.sink.emit(HarnessSignalled(who="arbiter", pid=self.arbiter_pid, signal=int(number), reason=reason))
        self.gunicorn.send(number)

    @property
    def client_address(self) -> str:
        """Where the clients go: the proxy, or gunicorn itself."""
        return f"127.0.0.1:{self.proxy.port}" if self.proxy else self.address

    @property
    def ways(self) -> Mapping[str, str]:
        """The ways to reach gunicorn, with the address of each: ``direct``, and ``proxy`` where there is one."""
        return {"direct": self.address} | ({"proxy": self.client_address} if self.proxy else {})


@contextmanager
def running_stack(
    run: Run, environment: Environment, make_backend: MakeBackend, *, with_proxy: bool = True, with_load: bool = True
) -> Iterator[Stack]:
    """Start the watchers, gunicorn and the cell's proxy; stop everything at the end, also after an error.

    The servers are started, but need not answer yet. The window for judging is closed before anything is stopped.
    ``with_proxy``: False leaves the proxy to the caller, see ``with_started_proxy``. ``with_load``: False if there will
    be no load, so that its program may be missing.

    Raises:
        SurroundingsError: a program is missing, a port is taken, no folder can be made, or a limit is too low.
    """
    held = ExitStack()
    backend = make_backend(run.folder.run_id, run.folder.path)
    watchers, clients = backend.watchers(run.sink), Clients()
    run.sink.listen(clients.hear)
    try:
        run.enter("boot")
        yield _start(
            run, environment, backend, watchers, clients, held=held, with_proxy=with_proxy, with_load=with_load
        )
    finally:
        with shielded(), held:
            _stop(run, backend, watchers, clients)


def _start(
    run: Run,
    environment: Environment,
    backend: Backend,
    watchers: Watchers,
    clients: Clients,
    *,
    held: ExitStack,
    with_proxy: bool,
    with_load: bool,
) -> Stack:
    cell, logs = run.cell, run.folder.logs
    if with_load:
        find_load_tool(cell, backend)  # so that a missing program is reported before anything is started
    backend.require_room(cell)
    scratch, progress = make_scratch_folder(backend), Progress()
    run.sink.listen(progress.hear)
    address = choose_address(cell, scratch)
    command = configure_gunicorn(cell, run.folder, scratch, environment, run.request, bind=address)
    watchers.watch_files(cell, logs=logs, socket=scratch.socket, trace=logs / TRACE_FILE, site=str(environment.path))
    run.say(f"starting gunicorn {cell.gunicorn} on Python {cell.python}")
    if inherits_listener(list_turns(cell)):
        listener = held.enter_context(open_listener(scratch.socket))
        command = inherit(command, listener, run.folder)
    command = give_user(command, run, scratch, environment, backend)
    started = start_proxy(cell, run.folder, scratch, backend, upstream=address) if with_proxy else None
    spawned_ns = now_ns()
    command, gunicorn = start_as_user(command, run, backend)
    run.sink.emit(ArbiterStarted(pid=gunicorn.pid))
    watchers.watch_arbiter(gunicorn.pid, memory=run.request.memory)
    return Stack(
        run=run,
        cell=cell,
        environment=environment,
        backend=backend,
        watchers=watchers,
        progress=progress,
        clients=clients,
        scratch=scratch,
        address=address,
        command=command,
        masters=Masters(gunicorn),
        spawned_ns=spawned_ns,
        proxy=started,
        asked=_keep_asked(run),
    )


def _keep_asked(run: Run) -> Asked:
    """The cell's request; its body is kept in the record."""
    if run.cell.body is None:
        return make_asked(run.cell, b"")
    body = Path(run.cell.body).read_bytes()
    (run.folder.config / BODY_FILE).write_bytes(body)
    return make_asked(run.cell, body)


def with_started_proxy(stack: Stack) -> Stack:
    """The stack with its cell's proxy, started now; see ``servers.start_proxy``. It ends with the stack."""
    started = start_proxy(stack.cell, stack.run.folder, stack.scratch, stack.backend, upstream=stack.address)
    return replace(stack, proxy=started)


def close_window(run: Run, watchers: Watchers) -> None:
    """End what is judged, once: from now on the stack may be disturbed."""
    if not run.closed:
        watchers.stop()
        run.enter("closed")


def _stop(run: Run, backend: Backend, watchers: Watchers, clients: Clients) -> None:
    """Stop the watchers first, which closes the window; then the processes, even if stopping the watchers failed."""
    try:
        close_window(run, watchers)
        if run.cell.ledger:
            await_last_lines(run.cell, run.folder.logs, clients, fetch=backend.fetch)
    finally:
        backend.close()
        if os.geteuid() == 0:
            run.folder.take_back()
        run.enter("ended")


def find_load_tool(cell: Cell, backend: Backend) -> tools.Tool:
    """The load's program.

    Raises:
        SurroundingsError: it is missing.
    """
    return backend.find_tool(cell.load, f"--load {cell.load}")
