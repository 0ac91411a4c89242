"""Runs gunicorn, the proxy and wrk in containers, and beside them the observer, which watches (see ``observer``).

The containers share nothing with this machine: no folder, no port, no process namespace. Each run has two volumes, one
with the socket, one with the record's ``config`` and ``logs``. Both are mounted at the paths that the record names, so
that configuration, events and verdict are those of a local run. The engine may be on another machine. ``pod`` defines
what the containers share and what each may do.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.backends import Command, Process
from harness.backends.docker import connection, leftovers
from harness.backends.docker.building import Image
from harness.backends.docker.images import ImageSet
from harness.backends.docker.observer import Observer, ObservingClient
from harness.backends.docker.pod import GUNICORN_UID, MEMORY_BYTES, PROCESSES, Pod
from harness.backends.docker.process import DockerProcess
from harness.backends.local.backend import LocalBackend
from harness.core.errors import SurroundingsError
from harness.core.model import Cell, Json
from harness.core.ports import find_free_port
from harness.core.users import RunsAs
from harness.provision import tools
from harness.stack.asked import ASKED, Asked
from harness.stack.proxies import Proxy
from harness.watch.event_log import EventSink
from harness.watch.machine import Usage
from harness.watch.remote import pid_file

if TYPE_CHECKING:
    from docker import APIClient

_OURS_ONLY = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR")
"""Variables that name files of this machine, which a container does not have."""

_LAUNCH = (
    'printf "%s\\n" "$$" >"$0.new" && mv "$0.new" "$0" && out=$1 && err=$2 && shift 2 && exec "$@" >>"$out" 2>>"$err"'
)
"""Writes the pid, then starts the program with its output in files, not in the engine's pipes: a slow reader must never
be able to stop the server under test."""


class DockerBackend:
    """See ``backends.Backend``. ``marker`` is the run's id; the local back end cares for what lies on this machine."""

    def __init__(self, marker: str, run_folder: Path, *, images: ImageSet, cell: Cell) -> None:
        self._images = images
        self._cell = cell
        self._run = run_folder
        self._marker = f"{marker}.{os.urandom(4).hex()}"
        self._labels = {connection.RUN_LABEL: self._marker, connection.OWNER_LABEL: leftovers.owner()}
        self._client = connection.connect()
        self._api: APIClient = self._client.api
        self._local = LocalBackend(marker, run_folder)
        self._observer = Observer()
        self._pod: Pod | None = None

    @property
    def clock_offset_ns(self) -> int:
        """See ``backends.Backend``."""
        return self._observer.clock_offset_ns

    def require_room(self, cell: Cell) -> None:
        """See ``backends.Backend``: ``pod`` sets the limits of each container."""

    def choose_port(self, wanted: int | None) -> int:
        """See ``backends.Backend``: the containers have a loopback of their own, on which all ports are free."""
        return wanted or find_free_port()

    def read_queue(self) -> int | None:
        """See ``backends.Backend``."""
        return None

    def find_proxy_user(self, proxy: Proxy) -> str | None:
        """See ``backends.Backend``: the container already runs as the right user."""
        return None

    def choose_user(
        self, places: Sequence[Path], python: Path, *, root_because: str | None, lend: Callable[[int], None]
    ) -> RunsAs:
        """See ``backends.Backend``: the image names it."""
        return RunsAs(uid=GUNICORN_UID, why="the user of the image")

    def adopt_folder(self, folder: Path) -> None:
        """See ``backends.Backend``. Once the socket's folder is known, all paths are, and the observer can start."""
        self._local.adopt_folder(folder)
        with connection.speaking("The run's containers could not be started"):
            pod = self._pod = Pod(
                self._api, self._labels, clients=self._images.clients.identity, record=self._run, base=folder
            )
            stream = self._api.attach_socket(pod.observer, params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
            self._api.start(pod.observer)
        self._observer.connect(_Attached(stream))

    def spawn(self, command: Command) -> DockerProcess:
        """See ``backends.Backend``."""
        role = self._role(command)
        file = pid_file(self._run / "logs", command.name)
        shell = ["sh", "-c", _LAUNCH, str(file), str(command.stdout), str(command.stderr)]
        environment = {name: value for name, value in command.env.items() if name not in _OURS_ONLY}
        image = self._image(role)
        with connection.speaking(f"{command.name} could not be started in a container"):
            pod = self._require_pod()
            pod.porter.deliver(self._run, self._run / "config")
            container = pod.create_server(
                role,
                image.identity,
                alone=role == "gunicorn" and self._cell.bind == "unix",
                command=[*shell, *command.argv],
                environment={**environment, "LANG": "C.UTF-8"},
                working_dir=str(command.cwd),
            )
            self._api.start(container)
        process = DockerProcess(self._api, container, command.name, self._observer)
        pid = self._observer.find_pid(self._run / "logs", command.name, metered=role == "clients")
        if pid is None:
            said = self._api.logs(container).decode("utf-8", "replace").strip()
            raise SurroundingsError(
                what=f"{command.name} did not start in its container: {said or 'it said nothing'}.",
                remedy=f"Try the image: docker run --rm {image.tag} {command.argv[0]} --version",
            )
        process.pid = pid
        return process

    def adopt(self, pid: int, name: str) -> DockerProcess:
        """See ``backends.Backend``: ``docker.why_not`` refuses what would need it."""
        raise NotImplementedError(f"process {pid} ({name}) of a container can't be taken over from here")

    def signal(self, pid: int, number: int) -> bool:
        """See ``backends.Backend``: ``docker.why_not`` refuses what would need it."""
        raise NotImplementedError(f"process {pid} of a container can't be sent signal {number} from here")

    def count_files(self, pid: int) -> tuple[Mapping[str, int], int] | None:
        """See ``backends.Backend``: nobody here may look into a process of a container."""
        return None

    def find_tool(self, name: str, needed_for: str) -> tools.Tool:
        """See ``backends.Backend``: the program is in its image."""
        version = self._images.versions.get(name)
        if version is None:
            raise SurroundingsError(what=f"No image of this run has {name}, and {needed_for} needs it.")
        return tools.Tool(name=name, path=Path(name), version=version)

    def watchers(self, sink: EventSink) -> Observer:
        """See ``backends.Backend``. The observer is connected later, once the run's folders exist."""
        self._observer.report_to(sink)
        return self._observer

    def open_client(self, address: str, asked: Asked = ASKED) -> ObservingClient:
        """See ``backends.Backend``."""
        return ObservingClient(self._observer, address)

    def exists(self, path: Path) -> bool:
        """See ``backends.Backend``."""
        return self._observer.exists(path)

    def read_usage(self, trees: Sequence[int]) -> Usage:
        """See ``backends.Backend``."""
        return self._observer.read_usage(list(trees))

    @property
    def may_hold(self) -> bool:
        """See ``backends.Backend``: nobody here may send signals into the container."""
        return False

    def hold(self, pids: Sequence[int]) -> AbstractContextManager[None]:
        """See ``backends.Backend``."""
        raise NotImplementedError(f"processes {list(pids)} of a container can't be stopped from here")

    @property
    def why_unseen(self) -> str | None:
        """See ``backends.Backend``."""
        return "the engine ends all processes of a container together with its first, so that none could be left behind"

    def list_relatives(self, process: Process) -> list[int]:
        """See ``backends.Backend``."""
        raise NotImplementedError(f"the processes below {process.pid} of a container can't be seen from here")

    def fetch(self, path: Path) -> None:
        """See ``backends.Backend``."""
        if self._pod is not None:
            self._pod.porter.fetch(path)

    def facts(self) -> Mapping[str, Json]:
        """See ``backends.Backend``."""
        with connection.speaking("The engine does not tell about itself"):
            known = self._api.info()
        names = ("ServerVersion", "OperatingSystem", "KernelVersion", "Architecture", "Driver", "CgroupVersion", "NCPU")
        return {
            "engine": {name: known.get(name) for name in names},
            "images": self._images.facts(),
            "limits": {"memory_bytes": dict(MEMORY_BYTES), "processes": PROCESSES},
            "clock_offset_ns": self.clock_offset_ns,
        }

    def close(self) -> None:
        """See ``backends.Backend``. Containers are found by label, so that an interrupted start leaves none behind."""
        try:
            self.fetch(self._run / "logs")
        finally:
            self._observer.close()
            try:
                leftovers.remove_run(self._client, self._marker)
            finally:
                self._local.close()
                self._client.close()

    def _require_pod(self) -> Pod:
        if self._pod is None:
            raise RuntimeError("a server is to be started before the folder of its socket is known")
        return self._pod

    def _role(self, command: Command) -> str:
        if command.name == "gunicorn":
            return "gunicorn"
        return "proxy" if command.name == self._cell.proxy else "clients"

    def _image(self, role: str) -> Image:
        image = {"gunicorn": self._images.gunicorn, "proxy": self._images.proxy, "clients": self._images.clients}[role]
        if image is None:
            raise SurroundingsError(what=f"This run has no image for the {role}.", remedy="Report it, with the record.")
        return image


class _Attached:
    """The raw stream of an attached container; see ``observer.Channel``."""

    def __init__(self, stream: Any) -> None:  # noqa: ANN401 - a socket, or what ssh and TLS have in its place
        self._stream = stream
        self._socket = getattr(stream, "_sock", stream)

    def send(self, data: bytes) -> None:
        """See ``observer.Channel``."""
        self._socket.sendall(data)

    def receive(self, size: int) -> bytes:
        """See ``observer.Channel``."""
        return bytes(self._socket.recv(size))

    def close(self) -> None:
        """See ``observer.Channel``."""
        self._stream.close()
        self._socket.close()
