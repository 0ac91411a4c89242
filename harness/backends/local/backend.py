"""Starts processes on this machine: each leads its own group, carries the run's marker, and ends with the harness.

See ``core.keeping`` for what happens if the harness is killed.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from harness.backends import Command, Process, Start
from harness.backends.local import limits, other_user
from harness.backends.local.process import AdoptedProcess, LocalProcess, send_safely
from harness.core import ports, procfs, reaper
from harness.core.errors import SurroundingsError
from harness.core.files import open_own
from harness.core.keeping import Keeper, own_start_ticks
from harness.core.model import Json
from harness.core.users import NoOtherUserError
from harness.provision import tools
from harness.stack.asked import ASKED, Asked
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
        pass_fds=command.inherited,
    )


def _open_log(path: Path) -> BinaryIO:
    return open(path, "ab", opener=open_own)


def _signal_all(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


class LocalBackend:
    """See ``backends.Backend``. ``marker`` is the run's id; ``start`` is how a process is started.

    ``what``: what is run, in words, if it is not one run that leaves its record in ``run_folder``.
    """

    clock_offset_ns = 0
    choose_user = staticmethod(other_user.choose_user)
    count_files = staticmethod(procfs.count_files)
    read_queue = staticmethod(limits.read_queue)
    require_room = staticmethod(limits.require_room)

    def __init__(self, marker: str, run_folder: Path, *, start: Start | None = None, what: str | None = None) -> None:
        self._start = start or start_directly
        self._processes: list[LocalProcess] = []
        self._usage = machine.UsageReader()
        run = run_folder if what is None else None
        self._keeper = Keeper(marker, what=what or f"run {run_folder}", run=run)
        self._variable = reaper.render_variable(self._keeper.marker)

    def spawn(self, command: Command) -> LocalProcess:
        """See ``backends.Backend``."""
        other = command.user.other if command.user is not None else None
        if other is None:
            return self._spawn(command)
        self._keeper.own(other.uid)
        with closing(other_user.LaunchChannel()) as channel:
            argv = other_user.render_launch(other, command.argv, tell=channel.tell)
            process = self._spawn(replace(command, argv=argv, inherited=(*command.inherited, channel.tell)))
            why_not = channel.read()
        if why_not is not None:
            process.stop()
            self._processes.remove(process)
            raise NoOtherUserError(what=why_not)
        return process

    def _spawn(self, command: Command) -> LocalProcess:
        env = {**command.env, reaper.MARKER: self._keeper.marker}
        with _open_log(command.stdout) as stdout, _open_log(command.stderr) as stderr:
            try:
                popen = self._start(command, env, stdout, stderr)
            except OSError as problem:
                raise SurroundingsError(
                    what=f"{command.name} could not be started: {problem}.",
                    remedy=f"Check that {command.argv[0]} exists and may be executed (`harness doctor` tells).",
                ) from problem
        process = LocalProcess(popen, command.name)
        self._processes.append(process)
        self._keeper.lead(process.pid, process.start_ticks or 0)
        return process

    def adopt(self, pid: int, name: str) -> AdoptedProcess:
        """See ``backends.Backend``."""
        start_ticks = procfs.start_ticks(pid)
        self._require_ours(pid)
        return AdoptedProcess(pid, name, start_ticks)

    def signal(self, pid: int, number: int) -> bool:
        """See ``backends.Backend``."""
        if procfs.start_ticks(pid) is None:
            return False
        self._require_ours(pid)
        return send_safely(pid, number)

    def _require_ours(self, pid: int) -> None:
        """A process of the run carries its marker, or is of its own user."""
        if not self._is_ours(pid):
            raise SurroundingsError(
                what=f"Process {pid} does not belong to this run, or has ended: it is left alone.",
                remedy="Repeat the run; where this comes again, report it with the record.",
            )

    def choose_port(self, wanted: int | None) -> int:
        """See ``backends.Backend``."""
        if wanted is None:
            return ports.find_free_port()
        ports.require_free_port(wanted)
        return wanted

    def find_proxy_user(self, proxy: Proxy) -> str | None:
        """See ``backends.Backend``."""
        return proxy.user_when_root() if os.geteuid() == 0 else None

    def adopt_folder(self, folder: Path) -> None:
        """See ``backends.Backend``."""
        self._keeper.adopt(folder)

    def find_tool(self, name: str, needed_for: str) -> tools.Tool:
        """See ``backends.Backend``."""
        return LOADS[name].find_program() if name in LOADS else tools.require_tool(recipe_of(name), needed_for)

    def watchers(self, sink: EventSink) -> LocalWatchers:
        """See ``backends.Backend``."""
        return LocalWatchers(sink)

    def open_client(self, address: str, asked: Asked = ASKED) -> prober.ProbeClient:
        """See ``backends.Backend``."""
        return prober.open_client(address, asked=asked)

    def exists(self, path: Path) -> bool:
        """See ``backends.Backend``."""
        return path.exists()

    def read_usage(self, trees: Sequence[int]) -> machine.Usage:
        """See ``backends.Backend``; all that was started here counts, whatever ``trees`` names."""
        return self._usage.read([*trees, *(one.pid for one in self._processes if one.poll() is None)])

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

    @property
    def why_unseen(self) -> str | None:
        """See ``backends.Backend``."""
        return None

    def list_relatives(self, process: Process) -> list[int]:
        """See ``backends.Backend``: its group and all of the run's, without the groups of other servers."""
        others = {one.pid for one in self._processes} - {process.pid}
        return sorted(
            pid
            for pid, group in procfs.list_live(own_start_ticks())
            if group == process.pid or (group not in others and pid != os.getpid() and self._is_ours(pid))
        )

    def _is_ours(self, pid: int) -> bool:
        return procfs.has_variable(pid, self._variable) or reaper.is_unmarked(pid, self._keeper.users)

    def fetch(self, path: Path) -> None:
        """See ``backends.Backend``: the file is already here."""

    def facts(self) -> Mapping[str, Json]:
        """See ``backends.Backend``: the facts of this machine say it all."""
        return {}

    def close(self) -> None:
        """See ``backends.Backend``."""
        for process in self._processes:
            process.stop()
        self._keeper.close()
