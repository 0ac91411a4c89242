"""Where the processes of a run live: here (``local``), or in containers (``docker``), one row each in ``BACKENDS``.

Paths are the same for a server, for the watchers and in the record, wherever the processes live. No other room asks
which back end it has: what differs between them is asked of the back end. A newcomer adds one folder and one row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol, TypeAlias

from harness.backends import docker, local
from harness.core.conditions import Condition
from harness.core.errors import UsageError
from harness.core.model import Cell, Json
from harness.provision.tools import Tool
from harness.stack.proxies import Proxy
from harness.watch.event_log import EventSink
from harness.watch.machine import Usage

if TYPE_CHECKING:
    import subprocess

    from harness.provision.environments import Environment


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

    def meet_clients(self, proxy: int | None) -> None:
        """The service answers; ``proxy``: its pid, where there is one."""

    def probe(self, ways: Mapping[str, str], *, ledger: bool = True, compares: bool = False) -> None:
        """With the load; ``ledger``: the requests carry ids; ``compares``: the app sends them back."""

    def hurry_probes(self) -> None:
        """The load is off: probe as often as can be."""

    def pause_probes(self, way: str, pause_s: float) -> None:
        """Let one way rest."""

    def stop(self) -> None:
        """Everything seen is in the sink afterwards."""


class Backend(Protocol):
    """Starts processes, and is where they are looked at from. What it started and nobody stopped, ``close`` stops."""

    @property
    def clock_offset_ns(self) -> int:
        """What is to be added to a time that a process took, for the clock of this machine; 0 where they are one."""

    def require_room(self, cell: Cell) -> None:
        """SurroundingsError where the system lets a process have too little for this cell."""

    def choose_port(self, wanted: int | None) -> int:
        """A port for the proxy: the wanted one, else a free one; SurroundingsError where the wanted one is taken."""

    def read_queue(self) -> int | None:
        """How many connections can wait for a worker; None where that is not known."""

    def find_proxy_user(self, proxy: Proxy) -> str | None:
        """Whom a proxy is to turn into; None where it stays who starts it."""

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


Start: TypeAlias = Callable[[Command, Mapping[str, str], BinaryIO, BinaryIO], "subprocess.Popen[bytes]"]
"""(command, whole environment, stdout, stderr) -> the child, which leads a process group; OSError where it can't be."""

MakeBackend: TypeAlias = Callable[[str, Path], Backend]
"""(the run's marker, its folder) -> where its processes live."""


class BackendKind(Protocol):
    """What is asked of a back end's module before there is a run, and after all runs."""

    PLACE: str
    """Where its processes live, in words."""

    STAND_INS: tuple[str, ...]
    """The back ends to go on with, in turn, where no Python of this one runs a release."""

    STARTS_HERE: bool
    """Whether its servers are children of the harness, which a test framework may start in its own way."""

    BUILDS_HERE: bool
    """Whether gunicorn runs in environments of this machine, which can be built before a run wants them."""

    DEVIATIONS: tuple[str, ...]
    """How a run there differs from the original report, in words."""

    CACHE: str
    """The folder below the cache folder that live runs may use, and that ``sweep`` alone may clean."""

    DISPOSABLE: tuple[str, ...]
    """Folders in it that no run needs."""

    def why_not(self, cell: Cell, *, memory: bool = False) -> UsageError | None:
        """Why a cell can't be run there; None where it can. ``memory``: the processes' memory is to be measured."""

    def answers(self) -> bool:
        """Whether a run could begin now, asked briefly."""

    def choose_load(self, cell: Cell) -> tuple[Cell, str | None]:
        """The cell with a load that can be had there where nobody named one, and a word about it if it is another."""

    def list_programs(self, proxy: str, load: str) -> tuple[str, ...]:
        """Those of a cell's programs that have to be installed on this machine."""

    def prepare(
        self, cell: Cell, *, python: str | None, era_shims: bool, start: Start | None, say: Callable[[str], None]
    ) -> tuple[Environment, MakeBackend]:
        """What gunicorn runs in, and how to make the back end of a run; ``say`` is told what takes time.

        ``era_shims``: whether a Python will do on which the release runs only with them.

        Raises:
            UnrunnableError: this release can't be had there.
            SurroundingsError: something that is needed is missing.
            UsageError: the SPEC or the interpreter can't be meant.
        """

    def examine(self) -> list[Condition]:
        """What ``harness doctor`` should say of it."""

    def sweep(self, *, everything: bool) -> list[str]:
        """Remove what runs left behind, beside what ``active`` lists; gives a line for each thing removed."""


BACKENDS: Mapping[str, BackendKind] = {"local": local, "docker": docker}
"""By the name of ``--backend``. A module loads what it needs when it is asked."""
