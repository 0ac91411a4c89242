"""Where the processes of a run live, behind one small Protocol. ``local`` spawns them on this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to start: argv, whole environment, working folder, and the files that take its output."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: Path
    stdout: Path
    stderr: Path


class Process(Protocol):
    """A started process; it leads a process group of its own."""

    @property
    def pid(self) -> int:
        """The pid as this machine sees it."""

    def poll(self) -> int | None:
        """The exit status (negative: the signal), or None while it runs."""

    def interrupt(self) -> None:
        """SIGINT to the process alone: the way to make wrk print its result early."""

    def stop(self) -> int:
        """SIGKILL to the whole group; returns the exit status. Idempotent."""


class Backend(Protocol):
    """Starts processes. Whatever it started and nobody stopped, ``close`` stops."""

    def spawn(self, command: Command) -> Process:
        """Start a process; SurroundingsError where the program can't be executed."""

    def adopt_folder(self, folder: Path) -> None:
        """A folder that must vanish with the run, even if the harness is killed."""

    def close(self) -> None:
        """Stop everything and forget it."""
