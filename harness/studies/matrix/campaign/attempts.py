"""One run in a process of its own: ``python -m harness reproduce``, so that the crash of one can't end the others.

The process, and all that it starts, ends with the matrix, even if that is killed: see ``backends.local.backend``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from harness.backends import Command
from harness.backends.local.backend import LocalBackend
from harness.core.clock import now_ns, wait_until
from harness.core.locks import Lease
from harness.engine.options import run_arguments
from harness.engine.request import RunRequest
from harness.studies.matrix.campaign.schedule import Attempt

PREPARE_S = 900.0
"""Building an environment may mean compiling it, or waiting for another process that does."""

REST_S = 120.0
"""Boot, control, settling and judging, with a wide margin: the engine bounds each of them itself."""

INTERRUPT_S = 20.0
"""How long an interrupted run may take to stop its servers and to store its record; it usually takes a second."""

TAIL_CHARS = 400


class RunningAttempt(Attempt, Protocol):
    """One run of a cell under way; what it leaves is a record below ``request.out``."""

    status: int | None

    def complaint(self) -> str:
        """Its output on standard error, as one line."""


class StartRun(Protocol):
    """Begins one run. ``lease``: the cell's lock, given back at its end; ``logs``: for what it says."""

    def __call__(self, request: RunRequest, *, name: str, logs: Path, lease: Lease) -> RunningAttempt:
        """See ``ChildRun``."""


class ChildRun:
    """See ``RunningAttempt``."""

    def __init__(self, request: RunRequest, *, name: str, logs: Path, lease: Lease) -> None:
        self._lease = lease
        self._log = logs / f"{name}-{now_ns()}.log"
        self._deadline_ns = now_ns() + int((PREPARE_S + request.cell.duration_s + REST_S) * 1e9)
        self._backend = LocalBackend(name, request.out, what=f"matrix, its cell {name}")
        self.status: int | None = None
        try:
            self._process = self._backend.spawn(_command(["reproduce", "--json", *run_arguments(request)], self._log))
        except BaseException:
            self._close()
            raise

    def ended(self) -> bool:
        """See ``schedule.Attempt``. A run that does not end in time is stopped."""
        if self.status is None:
            self.status = self._process.poll()
            if self.status is None and now_ns() > self._deadline_ns:
                self.status = self._process.stop()
            if self.status is not None:
                self._close()
        return self.status is not None

    def interrupt(self) -> None:
        """See ``schedule.Attempt``."""
        if self.status is None:
            self._process.interrupt()

    def stop(self) -> None:
        """See ``schedule.Attempt``."""
        if self.status is None:
            wait_until(self.ended, timeout_s=INTERRUPT_S, alive=lambda: True)
        if self.status is None:
            self.status = self._process.stop()
            self._close()

    def complaint(self) -> str:
        """The end of its output on standard error, as one line."""
        said = self._log.read_text(errors="replace") if self._log.exists() else ""
        return " ".join(said.split())[-TAIL_CHARS:]

    def _close(self) -> None:
        self._backend.close()
        self._lease.close()


class Preparation:
    """Builds the environments that are needed later, in one process, behind the runs; see ``ahead``."""

    def __init__(self, requests: Path, *, logs: Path) -> None:
        self._backend = LocalBackend("preparing", logs, what="preparation of a matrix")
        argv = [sys.executable, "-m", "harness.studies.matrix.campaign.prefetch", str(requests)]
        self._backend.spawn(_python_command(argv, logs / "ahead.log"))

    def close(self) -> None:
        """End it, finished or not; the next process that builds the same environment removes an unfinished one."""
        self._backend.close()


def _command(arguments: Sequence[str], log: Path) -> Command:
    return _python_command([sys.executable, "-m", "harness", *arguments], log)


def _python_command(argv: Sequence[str], log: Path) -> Command:
    # Paths in options, and an app of the user's, are meant from the folder in which the matrix was started. What a
    # single run tells GitHub would drown what the matrix has to say.
    env = {name: value for name, value in os.environ.items() if not name.startswith("GITHUB_")}
    return Command(name="harness", argv=argv, env=env, cwd=Path.cwd(), stdout=Path(os.devnull), stderr=log)
