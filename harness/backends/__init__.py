"""Where the processes of a run live: here (``local``), or in containers (``docker``), one row each in ``BACKENDS``.

Paths are the same for a server, for the watchers and in the record, wherever the processes live. No other package asks
which back end it has: it asks the back end for what differs. To add a back end, add one folder and one row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol, TypeAlias

from harness.backends import docker, local
from harness.core.conditions import Condition
from harness.core.errors import UsageError
from harness.core.frozen import dataclass
from harness.core.model import Cell, Json
from harness.core.users import RunsAs
from harness.provision.tools import Tool
from harness.stack.asked import ASKED, Asked
from harness.stack.proxies import Proxy
from harness.watch.event_log import EventSink
from harness.watch.machine import Usage

if TYPE_CHECKING:
    import subprocess

    from harness.provision.environments import Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to start: argv, whole environment, working folder, the files that take its output; ``user``: as whom."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: Path
    stdout: Path
    stderr: Path
    inherited: tuple[int, ...] = ()  # descriptors of ours that it gets under the same numbers
    user: RunsAs | None = None


class Process(Protocol):
    """A started process; it leads a process group of its own."""

    @property
    def pid(self) -> int:
        """The pid as the process itself and its watchers see it."""

    def poll(self) -> int | None:
        """The exit status (negative: the signal), or None while it runs."""

    def is_stopped(self, *, with_children: bool) -> bool:
        """Whether it (or one of its children) was stopped by a signal; False where nobody but the run can send one."""

    def interrupt(self) -> None:
        """SIGINT to the process alone: the way to make wrk print its result early."""

    def send(self, number: int) -> None:
        """This signal to the process alone; nothing where it has ended."""

    def stop(self) -> int:
        """SIGKILL to the whole group; returns the exit status. Idempotent."""


class Client(Protocol):
    """Sends single requests to one address."""

    def ask(self) -> str:
        """One request; see ``prober.ask``."""


class Watchers(Protocol):
    """All watchers of a run; see ``watch.watchers.LocalWatchers``."""

    def watch_files(self, cell: Cell, *, logs: Path, socket: Path, trace: Path, site: str) -> None:
        """Watch the socket file, the logs and the tracer's output; called before gunicorn starts."""

    def watch_arbiter(self, pid: int, *, memory: bool = False) -> None:
        """Watch the arbiter and its workers, as soon as gunicorn has a pid; ``memory``: sample their memory too."""

    def meet_clients(self, proxy: int | None) -> None:
        """The service answers; ``proxy``: its pid, where there is one."""

    def probe(
        self, ways: Mapping[str, str], *, ledger: bool = True, compares: bool = False, asked: Asked = ASKED
    ) -> None:
        """Send probes while the load runs; ``ledger``: they carry ids; ``compares``: the app sends the ids back."""

    def hurry_probes(self) -> None:
        """Probe as often as possible; called when the load has ended."""

    def pause_probes(self, way: str, pause_s: float) -> None:
        """Send no probes over one way for a while."""

    def stop(self) -> None:
        """Stop watching; afterwards all events are in the sink."""


class Backend(Protocol):
    """Starts the processes of a run, and watches them from where they live. ``close`` stops those that still run."""

    @property
    def clock_offset_ns(self) -> int:
        """What to add to a process's time to get this machine's time; 0 where they have the same clock."""

    def require_room(self, cell: Cell) -> None:
        """Check that the system's limits allow this cell.

        Raises:
            SurroundingsError: a limit is too low.
        """

    def choose_port(self, wanted: int | None) -> int:
        """A port for the proxy: the wanted one, else a free one.

        Raises:
            SurroundingsError: the wanted port is taken.
        """

    def read_queue(self) -> int | None:
        """How many connections can wait for a worker; None where that is not known."""

    def find_proxy_user(self, proxy: Proxy) -> str | None:
        """The user that a proxy is to switch to; None where it keeps the user that starts it."""

    def choose_user(
        self, places: Sequence[Path], python: Path, *, root_because: str | None, lend: Callable[[int], None]
    ) -> RunsAs:
        """The user of a gunicorn that needs ``places``. Whether this system has them, ``spawn`` finds out.

        ``root_because``: why it is to be root where the harness is. ``lend`` gives a user what it needs of the run.
        """

    def spawn(self, command: Command) -> Process:
        """Start a process.

        Raises:
            NoOtherUserError: it can't be started as its user.
            SurroundingsError: the program can't be executed.
        """

    def adopt(self, pid: int, name: str) -> Process:
        """A process that one of this run's has started, such as a new master; its status is not known.

        Raises:
            SurroundingsError: it is none of this run's, or it has ended.
        """

    def signal(self, pid: int, number: int) -> bool:
        """This signal to one process of this run alone; False where there is no such process any more.

        Raises:
            SurroundingsError: it is none of this run's.
        """

    def count_files(self, pid: int) -> tuple[Mapping[str, int], int] | None:
        """A process's open files by kind, and its threads; None where it has ended or can't be seen from here."""

    def adopt_folder(self, folder: Path) -> None:
        """Remove this folder at the end of the run, even if the harness is killed."""

    def find_tool(self, name: str, needed_for: str) -> Tool:
        """The program of a proxy or a load.

        Raises:
            SurroundingsError: it is missing.
        """

    def watchers(self, sink: EventSink) -> Watchers:
        """The run's watchers, which live where the processes live."""

    def open_client(self, address: str, asked: Asked = ASKED) -> AbstractContextManager[Client]:
        """A client for ``unix:PATH`` or ``HOST:PORT``, which lives where the processes live."""

    def exists(self, path: Path) -> bool:
        """Whether there is such a file where the processes live."""

    def read_usage(self, trees: Sequence[int]) -> Usage:
        """The CPU time of all cores and of this run's processes so far; see ``watch.machine``."""

    @property
    def may_hold(self) -> bool:
        """Whether ``hold`` can be had."""

    def hold(self, pids: Sequence[int]) -> AbstractContextManager[None]:
        """Stop processes of this run (SIGSTOP), and let them go on at the end; one that has ended is left alone."""

    @property
    def why_unseen(self) -> str | None:
        """Why nobody can see from here what processes leave behind; None where it can be seen."""

    def list_relatives(self, process: Process) -> list[int]:
        """A server's process and all that it and its children started, orphans included; no zombies."""

    def fetch(self, path: Path) -> None:
        """Copy a file or folder of the record, as it is now, into the run's folder here, if it exists."""

    def facts(self) -> Mapping[str, Json]:
        """What the record should say about the place where the processes lived."""

    def close(self) -> None:
        """Stop all processes."""


Start: TypeAlias = Callable[[Command, Mapping[str, str], BinaryIO, BinaryIO], "subprocess.Popen[bytes]"]
"""(command, whole environment, stdout, stderr) -> the child, which leads a process group; raises OSError."""

MakeBackend: TypeAlias = Callable[[str, Path], Backend]
"""(the run's marker, its folder) -> the back end of this run."""


class BackendKind(Protocol):
    """What a back end's module offers before and after a run."""

    PLACE: str
    """Where its processes live, in words."""

    STAND_INS: tuple[str, ...]
    """The back ends to try next, in order, where no Python of this one runs a release."""

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
        """Why a cell can't be run there; None where it can. ``memory``: whether memory is to be measured."""

    def answers(self) -> bool:
        """Whether a run could begin now; answers quickly."""

    def choose_load(self, cell: Cell) -> tuple[Cell, str | None]:
        """The cell with a load that is available there, if the user named none; and a note if it is not the default."""

    def list_programs(self, proxy: str, load: str) -> tuple[str, ...]:
        """Those of a cell's programs that have to be installed on this machine."""

    def prepare(
        self,
        cell: Cell,
        *,
        python: str | None,
        era_shims: bool,
        start: Start | None,
        say: Callable[[str], None],
        project: Sequence[str] | None = None,
    ) -> tuple[Environment, MakeBackend]:
        """Prepare gunicorn's environment and the function that makes the back end; ``say`` gets a line per slow step.

        ``era_shims``: whether a Python will do on which the release runs only with them. ``project``: what a user's own
        project needs beside gunicorn; None where there is none.

        Raises:
            UnrunnableError: this release can't be installed there.
            SurroundingsError: something that is needed is missing.
            UsageError: the SPEC or the interpreter doesn't exist.
        """

    def examine(self) -> list[Condition]:
        """The rows that ``harness doctor`` prints about it."""

    def sweep(self, *, everything: bool) -> list[str]:
        """Remove what runs left behind, except what ``active`` lists; returns a line for each thing removed."""


BACKENDS: Mapping[str, BackendKind] = {"local": local, "docker": docker}
"""By the name of ``--backend``. A module imports what it needs when it is used."""
