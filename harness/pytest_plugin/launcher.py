"""Starts processes through pytest-xprocess, which registers them; the engine waits until they are ready and ends them.

Each process has a unique name, so that sessions and workers of pytest-xdist don't collide. Its PID file is removed with
it, because pytest-xprocess kills the process with the pid in that file, and pids are used again.
"""

from __future__ import annotations

import concurrent.futures.thread
import io
import itertools
import os
import secrets
import shutil
import subprocess
import warnings
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from xprocess import ProcessStarter

from harness.backends import Command
from harness.backends.local.backend import LocalBackend
from harness.core import procfs

PREFIX = "recycle-harness-"
PID_FILE = "xprocess.PID"
NEEDED = {
    "xprocess": "install pytest-xprocess (pip install 'recycle-harness[pytest]')",
    "cacheprovider": "leave out -p no:cacheprovider: pytest-xprocess needs it",
    "legacypath": "leave out -p no:legacypath: pytest-xprocess needs it",
}


def require_plugins(config: pytest.Config) -> None:
    """Fail the test with a remedy if pytest-xprocess or a plugin that it needs is not loaded."""
    for name, remedy in NEEDED.items():
        if not config.pluginmanager.has_plugin(name):
            pytest.fail(f"The pytest plugin {name} is not loaded.\nTo do: {remedy}", pytrace=False)


FORK_HOOKS = (concurrent.futures.thread,)
"""Loaded before the first fork: pytest-xprocess forks with Python's hooks, and a module that is imported in another
thread just then has its lock released after a fork that never took it (a RuntimeError that pytest reports)."""


class Launcher:
    """The processes of one pytest process. ``xprocess`` is the fixture of that name."""

    def __init__(self, xprocess: Any) -> None:  # noqa: ANN401 - pytest-xprocess is untyped
        self._xprocess = xprocess
        self._label = f"{PREFIX}{os.getpid()}-{secrets.token_hex(4)}"
        self._numbers = itertools.count(1)
        self._resources: dict[str, Any] = {}

    def make_backend(self, marker: str, run_folder: Path) -> LocalBackend:
        """The back end of one run: the local one, with this way of starting."""
        return LocalBackend(marker, run_folder, start=self.start)

    def start(
        self, command: Command, env: Mapping[str, str], stdout: BinaryIO, stderr: BinaryIO
    ) -> subprocess.Popen[bytes]:
        """See ``backends.local.Start``. pytest-xprocess gives the child its process group."""
        name = f"{self._label}-{next(self._numbers)}-{command.name}"
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):  # it prints each command
            # From Python 3.12 on: "multi-threaded, use of fork() may lead to deadlocks". pytest-xprocess forks, and
            # between fork and exec nothing of ours runs.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._xprocess.ensure(name, _make_starter(command, env, stdout, stderr), restart=True, persist_logs=False)
        resource = self._xprocess.resources[-1]
        self._resources[name] = resource
        popen: subprocess.Popen[bytes] = resource.popen
        return popen

    def tidy(self) -> None:
        """Clean up after ended processes: close the files that pytest-xprocess holds open, and remove the PID files."""
        for name, resource in list(self._resources.items()):
            if resource.popen.poll() is None:
                continue
            resource.release()
            self._xprocess.config._extlogfiles.pop(name, None)  # read at every later report otherwise
            (self._folder / name / PID_FILE).unlink(missing_ok=True)
            del self._resources[name]

    def close(self) -> None:
        """Clean up at the session's end. Folders are removed later: a worker of pytest-xdist may list them."""
        self.tidy()
        if "PYTEST_XDIST_WORKER" not in os.environ:
            remove_dead_folders(self._folder)

    @property
    def _folder(self) -> Path:
        return Path(self._xprocess.rootdir)


def _make_starter(command: Command, env: Mapping[str, str], stdout: BinaryIO, stderr: BinaryIO) -> type[ProcessStarter]:
    """The command in the form that pytest-xprocess wants: a class of its own."""
    attributes = {
        "args": list(command.argv),
        "env": env,
        # Not start_new_session: pytest-xprocess calls setpgrp in the child, which the leader of a session may not.
        "popen_kwargs": {
            "cwd": str(command.cwd),
            "stdin": subprocess.DEVNULL,
            "stdout": stdout,
            "stderr": stderr,
            "pass_fds": command.inherited,
        },
        "terminate_on_interrupt": False,  # it would signal the workers first, and so fire the code under test
        "wait": lambda _starter, _log_file: True,  # readiness is an answered request, and the engine asks
    }
    return type("Starter", (ProcessStarter,), attributes)


def is_all_ours(xprocess: Any) -> bool:  # noqa: ANN401 - pytest-xprocess is untyped
    """Whether nobody else has started a process through it in this session; it is None where nobody has at all."""
    return xprocess is None or all(
        resource.info[0].name.startswith(PREFIX) for resource in xprocess.resources if resource.info
    )


def remove_dead_folders(root: Path) -> None:
    """Remove the folders of ours below ``root`` whose process has ended."""
    for folder in root.glob(f"{PREFIX}*"):
        pid_file = folder / PID_FILE
        if not pid_file.exists() or procfs.start_ticks(int(pid_file.read_text())) is None:
            shutil.rmtree(folder)
