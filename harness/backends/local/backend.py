"""Starts processes on this machine: each leads its own group, carries the run's marker, and ends with the harness.

A small reaper process ends them if the harness is killed. ``active/`` in the cache folder has a file for each run in
progress, so that ``harness clean`` can end them if the reaper is killed too.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from harness.backends import Command, Start, active
from harness.backends.local import limits
from harness.core import ports, procfs, reaper
from harness.core.errors import SurroundingsError
from harness.core.files import replace_file
from harness.core.model import Cell, Json
from harness.provision import tools
from harness.stack.load import LOADS
from harness.stack.programs import recipe_of
from harness.stack.proxies import Proxy
from harness.watch import machine, prober
from harness.watch.event_log import EventSink
from harness.watch.watchers import LocalWatchers


def start_directly(
    command: Command, env: Mapping[str, str], stdout: BinaryIO, stderr: BinaryIO
) -> subprocess.Popen[bytes]:
    """Start a child of this process; see ``Start``."""
    return subprocess.Popen(
        list(command.argv),
        env=env,
        cwd=command.cwd,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
    )


def _signal_all(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


class LocalProcess:
    """A child of the harness; see ``backends.Process``."""

    def __init__(self, popen: subprocess.Popen[bytes], name: str) -> None:
        self._popen = popen
        self.name = name
        self.start_ticks = procfs.start_ticks(popen.pid)

    @property
    def pid(self) -> int:
        """The pid, which can't be re-used before we have waited for the process, because it is our child."""
        return self._popen.pid

    def poll(self) -> int | None:
        """See ``backends.Process``."""
        return self._popen.poll()

    def is_stopped(self, *, with_children: bool) -> bool:
        """See ``backends.Process``."""
        children = procfs.list_children(self.pid) if with_children else []
        return any(map(procfs.is_stopped, [self.pid, *children]))

    def interrupt(self) -> None:
        """See ``backends.Process``."""
        self.send(signal.SIGINT)

    def send(self, number: int) -> None:
        """See ``backends.Process``."""
        if self._popen.poll() is None:
            self._popen.send_signal(number)

    def stop(self) -> int:
        """See ``backends.Process``. The group is killed even if its leader is dead: workers outlive an arbiter."""
        with suppress(ProcessLookupError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        return self._popen.wait(timeout=10)


class LocalBackend:
    """See ``backends.Backend``. ``marker`` is the run's id; ``start`` is how a process is started."""

    clock_offset_ns = 0

    def __init__(self, marker: str, run_folder: Path, *, start: Start | None = None) -> None:
        # A run's id is unique in its folder of runs only: others of the same second may lie elsewhere.
        self._marker = f"{marker}.{os.urandom(4).hex()}"
        self._run_folder = run_folder
        self._start = start or start_directly
        self._processes: list[LocalProcess] = []
        self._folders: list[str] = []
        self._active = active.file_of(self._marker)
        self._reaper = self._start_reaper()
        self._note()

    def _start_reaper(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            reaper.render_command(self._marker),
            # This harness may itself be a process of a matrix, whose end must not end the reaper too.
            env={name: value for name, value in os.environ.items() if name != reaper.MARKER},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )

    def spawn(self, command: Command) -> LocalProcess:
        """See ``backends.Backend``."""
        env = {**command.env, reaper.MARKER: self._marker}
        with command.stdout.open("ab") as stdout, command.stderr.open("ab") as stderr:
            try:
                popen = self._start(command, env, stdout, stderr)
            except OSError as problem:
                raise SurroundingsError(
                    what=f"{command.name} could not be started: {problem}.",
                    remedy=f"Check that {command.argv[0]} exists and may be executed (`harness doctor` tells).",
                ) from problem
        process = LocalProcess(popen, command.name)
        self._processes.append(process)
        self._tell(f"leader {process.pid} {process.start_ticks or 0}")
        self._note()
        return process

    def require_room(self, cell: Cell) -> None:
        """See ``backends.Backend``."""
        limits.require_room(cell)

    def choose_port(self, wanted: int | None) -> int:
        """See ``backends.Backend``."""
        if wanted is None:
            return ports.find_free_port()
        ports.require_free_port(wanted)
        return wanted

    def read_queue(self) -> int | None:
        """See ``backends.Backend``."""
        return limits.read_queue()

    def find_proxy_user(self, proxy: Proxy) -> str | None:
        """See ``backends.Backend``."""
        return proxy.user_when_root() if os.geteuid() == 0 else None

    def adopt_folder(self, folder: Path) -> None:
        """See ``backends.Backend``."""
        self._folders.append(str(folder))
        self._tell(f"folder {folder}")
        self._note()

    def find_tool(self, name: str, needed_for: str) -> tools.Tool:
        """See ``backends.Backend``."""
        return LOADS[name].find_program() if name in LOADS else tools.require_tool(recipe_of(name), needed_for)

    def watchers(self, sink: EventSink) -> LocalWatchers:
        """See ``backends.Backend``."""
        return LocalWatchers(sink)

    def open_client(self, address: str) -> prober.ProbeClient:
        """See ``backends.Backend``."""
        return prober.open_client(address)

    def exists(self, path: Path) -> bool:
        """See ``backends.Backend``."""
        return path.exists()

    def read_usage(self, trees: Sequence[int]) -> machine.Usage:
        """See ``backends.Backend``."""
        return machine.read_usage(trees)

    @property
    def may_hold(self) -> bool:
        """See ``backends.Backend``."""
        return True

    @contextmanager
    def hold(self, pids: Sequence[int]) -> Iterator[None]:
        """See ``backends.Backend``."""
        try:
            _signal_all(pids, signal.SIGSTOP)
            yield
        finally:
            _signal_all(pids, signal.SIGCONT)

    def fetch(self, path: Path) -> None:
        """See ``backends.Backend``: the file is already here."""

    def facts(self) -> Mapping[str, Json]:
        """See ``backends.Backend``: the facts of this machine say it all."""
        return {}

    def close(self) -> None:
        """See ``backends.Backend``."""
        for process in self._processes:
            process.stop()
        reaper.sweep(self._marker, {}, self._folders)
        self._tell("done")
        with suppress(OSError):
            if self._reaper.stdin is not None:
                self._reaper.stdin.close()
        self._reaper.wait(timeout=10)
        self._active.unlink(missing_ok=True)

    def _tell(self, line: str) -> None:
        if self._reaper.stdin is None or self._reaper.poll() is not None:
            return  # killed from outside: ``active`` still holds everything that ``harness clean`` needs
        with suppress(BrokenPipeError):
            self._reaper.stdin.write(line + "\n")
            self._reaper.stdin.flush()

    def _note(self) -> None:
        """Write the processes and folders of the run into its file in ``active``."""
        content = {
            "marker": self._marker,
            "run": str(self._run_folder),
            "harness": [os.getpid(), procfs.start_ticks(os.getpid())],
            "leaders": [[process.pid, process.start_ticks] for process in self._processes],
            "folders": self._folders,
        }
        try:
            self._active.parent.mkdir(parents=True, exist_ok=True)
            replace_file(self._active, json.dumps(content))
        except OSError as problem:
            raise SurroundingsError(
                what=f"The cache folder {self._active.parent} can't be written to: {problem}.",
                remedy="Free some space there, or set RECYCLE_HARNESS_CACHE to another folder.",
            ) from problem
