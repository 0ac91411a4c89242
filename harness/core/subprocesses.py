"""Runs a helper program (uv, a Python) to its end; nothing of it outlives the wait, or a kill of the harness."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from harness.core import procfs
from harness.core.clock import now_ns
from harness.core.errors import SurroundingsError
from harness.core.frozen import dataclass
from harness.core.keeping import Keeper
from harness.core.reaper import MARKER
from harness.core.signals import check

TURN_S = 0.1
"""How long a signal waits at most: between two turns it can end the wait without harm to ``subprocess``."""


_shared: ContextVar[Keeper | None] = ContextVar("_shared", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """How a program ended, and its whole output."""

    status: int
    stdout: str
    stderr: str


def run(
    command: Sequence[str],
    *,
    cwd: Path,
    environ: Mapping[str, str],
    timeout_s: float,
    keep_open: Sequence[int] = (),
    stdin: str = "",
) -> Done:
    """Run a program in a process group of its own and wait; nothing of the group outlives a time-out or Ctrl-C.

    Raises:
        SurroundingsError: it took too long.
    """
    with _keeping(f"{Path(command[0]).name} {command[1]}") as keeper:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env={**environ, MARKER: keeper.marker},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
            pass_fds=tuple(keep_open),
        )
        said = _follow(process, keeper, stdin, timeout_s)
        if said is None:
            raise SurroundingsError(
                what=f"{Path(command[0]).name} {command[1]} was not done within {timeout_s:g} s and was ended",
                remedy="see whether the package index answers",
            )
    return Done(status=process.returncode, stdout=said[0], stderr=said[1])


@contextmanager
def sharing_reaper(what: str) -> Iterator[None]:
    """One reaper for all programs that are run in the block: a reaper of its own costs each of them 35 ms."""
    keeper = Keeper("helper", what=what)
    token = _shared.set(keeper)
    try:
        yield
    finally:
        _shared.reset(token)
        keeper.close(sweep=False)


@contextmanager
def _keeping(what: str) -> Iterator[Keeper]:
    shared = _shared.get()
    keeper = shared or Keeper("helper", what=what)
    try:
        yield keeper
    finally:
        if shared is None:
            keeper.close(sweep=False)


def _follow(process: subprocess.Popen[str], keeper: Keeper, stdin: str, timeout_s: float) -> tuple[str, str] | None:
    """What it printed; None where it was not done in time."""
    said = None
    try:
        keeper.lead(process.pid, procfs.start_ticks(process.pid) or 0)
        said = _communicate(process, stdin, timeout_s)
    finally:
        if said is None:  # Ctrl-C, too: the group has its own session, so the terminal's signal didn't reach it
            _kill(process, keeper)
    return said


def _communicate(process: subprocess.Popen[str], stdin: str, timeout_s: float) -> tuple[str, str] | None:
    """What it printed; None where it was not done in time."""
    deadline_ns = now_ns() + int(timeout_s * 1e9)
    said = _take_turn(process, stdin)
    while said is None and now_ns() < deadline_ns:
        check()
        said = _take_turn(process, None)
    return said


def _take_turn(process: subprocess.Popen[str], stdin: str | None) -> tuple[str, str] | None:
    try:
        return process.communicate(stdin, timeout=TURN_S)
    except subprocess.TimeoutExpired:
        return None


def _kill(process: subprocess.Popen[str], keeper: Keeper) -> None:
    """End its group, and what has left the group; all that holds its output has to end before the output does."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    keeper.sweep()
    process.communicate()
