"""Where the processes of a run live, behind one small Protocol: here (``local``), or in containers (``docker``).

Paths are the same for a server, for the watchers and in the record, wherever the processes live.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from harness.core.model import Cell, Json
from harness.provision.tools import Tool
from harness.watch.event_log import EventSink
from harness.watch.machine import Usage


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
        """The pid as the process itself and its watchers see it."""

    def poll(self) -> int | None:
        """The exit status (negative: the signal), or None while it runs."""

    def interrupt(self) -> None:
        """SIGINT to the process alone: the way to make wrk print its result early."""

    def stop(self) -> int:
        """SIGKILL to the whole group; returns the exit status. Idempotent."""


class Client(Protocol):
    """Sends single requests to one address."""

    def ask(self) -> str:
        """One request; see ``prober.ask``."""


class Watchers(Protocol):
    """All watchers of a run; see ``watch.watchers.LocalWatchers``."""

    def watch_files(self, cell: Cell, *, logs: Path, socket: Path, trace: Path, site: str) -> None:
        """Before gunicorn starts."""

    def watch_arbiter(self, pid: int, *, memory: bool = False) -> None:
        """As soon as gunicorn has a pid; ``memory``: everybody's memory too."""

    def probe(self, ways: Mapping[str, str], *, ledger: bool = True) -> None:
        """With the load; ``ledger``: the requests carry ids."""

    def hurry_probes(self) -> None:
        """The load is off: probe as often as can be."""

    def pause_probes(self, way: str, pause_s: float) -> None:
        """Let one way rest."""

    def stop(self) -> None:
        """Everything seen is in the sink afterwards."""


class Backend(Protocol):
    """Starts processes, and is where they are looked at from. What it started and nobody stopped, ``close`` stops."""

    @property
    def isolated(self) -> bool:
        """Whether the processes have a network and files of their own: then no port of this machine matters."""

    @property
    def clock_offset_ns(self) -> int:
        """What is to be added to a time that a process took, for the clock of this machine; 0 where they are one."""

    def spawn(self, command: Command) -> Process:
        """Start a process; SurroundingsError where the program can't be executed."""

    def adopt_folder(self, folder: Path) -> None:
        """A folder that must vanish with the run, even if the harness is killed."""

    def find_tool(self, name: str, needed_for: str) -> Tool:
        """The program of a proxy or a load; SurroundingsError where it is missing."""

    def watchers(self, sink: EventSink) -> Watchers:
        """The run's watchers, beside the processes that they watch."""

    def open_client(self, address: str) -> AbstractContextManager[Client]:
        """A client beside the processes, for ``unix:PATH`` or ``HOST:PORT``."""

    def exists(self, path: Path) -> bool:
        """Whether there is such a file where the processes live."""

    def read_usage(self, trees: Sequence[int]) -> Usage:
        """What all cores and this run's processes did so far; see ``watch.machine``."""

    def fetch(self, path: Path) -> None:
        """Bring a file or folder of the record, as it is now, into the run's folder here; one that isn't is none."""

    def facts(self) -> Mapping[str, Json]:
        """What a record should say of the place where the processes lived."""

    def close(self) -> None:
        """Stop everything and forget it."""
