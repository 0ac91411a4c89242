"""Processes in containers: gunicorn, the proxy, wrk, and beside them the observer, which watches (``observer``).

Nothing of this machine is shared with them: no folder, no port, no process namespace. Two volumes belong to a run, one
with the socket, one with the record's ``config`` and ``logs``, and both are mounted where the paths of the record say,
so that configuration, events and verdict are those of a local run. The engine may be anywhere.

The observer owns the process namespace and a network namespace that has nothing but its loopback; the proxy and wrk
join both, gunicorn the first (and the second only with ``--bind tcp``). They outlive any server that dies, and end,
with every server in them, when the harness ends, however it ends: its end closes the observer's input.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import tools
from harness.backends import Command
from harness.backends.local import LocalBackend
from harness.backends.observer import Observer, ObservingClient
from harness.containers import engine, leftovers
from harness.containers.building import Image
from harness.containers.images import ImageSet
from harness.containers.parcels import Folder, Porter
from harness.errors import SurroundingsError
from harness.model import Cell, Json
from harness.watch.machine import Usage
from harness.watch.outpost import pid_file
from harness.watch.sink import EventSink

if TYPE_CHECKING:
    from docker import APIClient

MIB = 1 << 20
MEMORY_BYTES: Mapping[str, int] = {"gunicorn": 2048 * MIB, "proxy": 512 * MIB, "clients": 1024 * MIB}
PROCESSES = 4096
"""Limits of each container: far above what an experiment takes, and below what would hurt the machine."""

STOP_S = 10.0
PROXY_FOLDER = "proxy"
"""Of ``stage.Places``, for a proxy's temporary files: in memory, because the volume is not its to write to."""

_SCRATCH = "mode=1777,size=256m"
_TMP = {"/tmp": _SCRATCH}  # noqa: S108 - the container's own
GUNICORN_UID = 10001

_OURS_ONLY = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR")
"""Variables that speak of this machine's files, which a container does not have."""

_LAUNCH = (
    'printf "%s\\n" "$$" >"$0.new" && mv "$0.new" "$0" && out=$1 && err=$2 && shift 2 && exec "$@" >>"$out" 2>>"$err"'
)
"""Files and not the engine's pipes: a slow reader must never be able to stop the server under test."""


class DockerProcess:
    """The program of a container; see ``backends.Process``."""

    def __init__(self, api: APIClient, container: str, name: str) -> None:
        self._api = api
        self.container = container
        self.name = name
        self.pid = 0  # known once it has run its first instruction
        self._status: int | None = None
        self._ended = threading.Event()
        threading.Thread(target=self._wait, name=f"wait-{name}", daemon=True).start()

    def poll(self) -> int | None:
        """See ``backends.Process``."""
        return self._status

    def interrupt(self) -> None:
        """See ``backends.Process``."""
        self._kill("SIGINT")

    def stop(self) -> int:
        """See ``backends.Process``."""
        self._kill("SIGKILL")
        if not self._ended.wait(STOP_S) or self._status is None:
            raise SurroundingsError(
                what=f"The container of {self.name} could not be ended within {STOP_S:g} s.",
                remedy="`harness clean` removes it once the engine answers again.",
            )
        return self._status

    def _kill(self, signal: str) -> None:
        import docker.errors

        if self._status is not None:
            return
        with engine.speaking(f"The container of {self.name} could not be sent {signal}"):
            try:
                self._api.kill(self.container, signal)
            except docker.errors.APIError as problem:
                if problem.status_code not in (404, 409):  # it has ended meanwhile
                    raise

    def _wait(self) -> None:
        """The engine tells a signal as a shell does, as 128 and its number; a process here as its negative."""
        import docker.errors
        import requests.exceptions

        try:
            code = int(self._api.wait(self.container, timeout=None)["StatusCode"])
        except (docker.errors.DockerException, requests.exceptions.RequestException, OSError):
            self._ended.set()  # removed, or the engine is gone: ``poll`` says nothing, the observer notices
            return
        self._status = code if code <= 128 else 128 - code  # noqa: PLR2004 - the shell's convention
        self._ended.set()


class DockerBackend:
    """See ``backends.Backend``. ``marker`` is the run's id; the local back end keeps what lies on this machine."""

    isolated = True

    def __init__(self, marker: str, run_folder: Path, *, images: ImageSet, cell: Cell) -> None:
        self._images = images
        self._cell = cell
        self._run = run_folder
        self._marker = f"{marker}.{os.urandom(4).hex()}"
        self._labels = {engine.RUN_LABEL: self._marker, engine.OWNER_LABEL: leftovers.owner()}
        self._client = engine.connect()
        self._api: APIClient = self._client.api
        self._local = LocalBackend(marker, run_folder)
        self._base: Path | None = None
        self._volumes: dict[str, str] = {}
        self._observer = Observer()
        self._observer_id = ""
        self._porter: Porter | None = None
        self._processes: list[DockerProcess] = []

    @property
    def clock_offset_ns(self) -> int:
        """See ``backends.Backend``."""
        return self._observer.clock_offset_ns

    def adopt_folder(self, folder: Path) -> None:
        """See ``backends.Backend``. With the folder of the socket all paths are known: the observer starts."""
        self._local.adopt_folder(folder)
        self._base = folder
        with engine.speaking("The run's containers could not be started"):
            self._volumes = {name: self._create_volume() for name in ("record", "socket")}
            self._observer_id = self._create(
                "clients",
                self._images.clients.identity,
                self._observer_options(),
                command=["python3", "-m", "harness.watch.outpost"],
                stdin_open=True,
            )
            self._porter = Porter(api=self._api, container=self._observer_id)
            owned = [Folder(name=name, owner=GUNICORN_UID) for name in ("socket", "home")]
            self._porter.make(folder, [*owned, Folder(name=PROXY_FOLDER, mode=0o1777)])
            self._porter.make(self._run, [Folder(name="config"), Folder(name="logs", mode=0o1777)])
            stream = self._api.attach_socket(
                self._observer_id, params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
            )
            self._api.start(self._observer_id)
        self._observer.connect(_Attached(stream))

    def spawn(self, command: Command) -> DockerProcess:
        """See ``backends.Backend``."""
        role = self._role(command)
        file = pid_file(self._run / "logs", command.name)
        shell = ["sh", "-c", _LAUNCH, str(file), str(command.stdout), str(command.stderr)]
        environment = {name: value for name, value in command.env.items() if name not in _OURS_ONLY}
        image = self._image(role)
        with engine.speaking(f"{command.name} could not be started in a container"):
            self._deliver_config()
            options = self._server_options(role)
            container = self._create(
                role,
                image.identity,
                options,
                command=[*shell, *command.argv],
                environment={**environment, "LANG": "C.UTF-8"},
                working_dir=str(command.cwd),
            )
            self._api.start(container)
        process = DockerProcess(self._api, container, command.name)
        self._processes.append(process)
        pid = self._observer.find_pid(self._run / "logs", command.name, metered=role == "clients")
        if pid is None:
            said = self._api.logs(container).decode("utf-8", "replace").strip()
            raise SurroundingsError(
                what=f"{command.name} did not start in its container: {said or 'it said nothing'}.",
                remedy=f"Try the image: docker run --rm {image.tag} {command.argv[0]} --version",
            )
        process.pid = pid
        return process

    def find_tool(self, name: str, needed_for: str) -> tools.Tool:
        """See ``backends.Backend``: it is in its image."""
        version = self._images.versions.get(name)
        if version is None:
            raise SurroundingsError(what=f"No image of this run has {name}, and {needed_for} needs it.")
        return tools.Tool(name=name, path=Path(name), version=version)

    def watchers(self, sink: EventSink) -> Observer:
        """See ``backends.Backend``. It is there before it is connected, because a run's folders come later."""
        self._observer.report_to(sink)
        return self._observer

    def open_client(self, address: str) -> ObservingClient:
        """See ``backends.Backend``."""
        return ObservingClient(self._observer, address)

    def exists(self, path: Path) -> bool:
        """See ``backends.Backend``."""
        return self._observer.exists(path)

    def read_usage(self, trees: Sequence[int]) -> Usage:
        """See ``backends.Backend``."""
        return self._observer.read_usage(list(trees))

    def fetch(self, path: Path) -> None:
        """See ``backends.Backend``."""
        if self._porter is not None:
            self._porter.fetch(path)

    def facts(self) -> Mapping[str, Json]:
        """See ``backends.Backend``."""
        with engine.speaking("The engine does not tell about itself"):
            known = self._api.info()
        names = ("ServerVersion", "OperatingSystem", "KernelVersion", "Architecture", "Driver", "CgroupVersion", "NCPU")
        return {
            "engine": {name: known.get(name) for name in names},
            "images": self._images.facts(),
            "limits": {"memory_bytes": dict(MEMORY_BYTES), "processes": PROCESSES},
            "clock_offset_ns": self.clock_offset_ns,
        }

    def close(self) -> None:
        """See ``backends.Backend``. Found by label, so that nothing is forgotten that an interruption cut short."""
        try:
            self.fetch(self._run / "logs")
        finally:
            self._observer.close()
            try:
                leftovers.remove_run(self._client, self._marker)
            finally:
                self._local.close()
                self._client.close()

    # --- making containers ---

    def _deliver_config(self) -> None:
        if self._porter is not None:
            self._porter.deliver(self._run, self._run / "config")

    def _role(self, command: Command) -> str:
        if command.name == "gunicorn":
            return "gunicorn"
        return "proxy" if command.name == self._cell.proxy else "clients"

    def _image(self, role: str) -> Image:
        image = {"gunicorn": self._images.gunicorn, "proxy": self._images.proxy, "clients": self._images.clients}[role]
        if image is None:
            raise SurroundingsError(what=f"This run has no image for the {role}.", remedy="Report it, with the record.")
        return image

    def _create_volume(self) -> str:
        return str(self._api.create_volume(labels=self._labels)["Name"])

    def _create(self, role: str, image: str, options: Mapping[str, Any], **more: Any) -> str:
        import docker.types

        host = self._api.create_host_config(
            read_only=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            mem_limit=MEMORY_BYTES[role],
            memswap_limit=MEMORY_BYTES[role],
            pids_limit=PROCESSES,
            log_config=docker.types.LogConfig(type="json-file", config={"max-size": "1m", "max-file": "1"}),
            **options,
        )
        return str(self._api.create_container(image, host_config=host, labels=self._labels, **more)["Id"])

    def _observer_options(self) -> dict[str, Any]:
        return {"network_mode": "none", "mounts": self._mounts("rw", "rw"), "tmpfs": _TMP}

    def _server_options(self, role: str) -> dict[str, Any]:
        shared = f"container:{self._observer_id}"
        alone = role == "gunicorn" and self._cell.bind == "unix"
        return {
            "network_mode": "none" if alone else shared,
            "pid_mode": shared,
            "mounts": self._mounts("rw", "rw" if role == "gunicorn" else "ro"),
            "tmpfs": _TMP | ({str(self._base / PROXY_FOLDER): _SCRATCH} if self._base else {}),
        }

    def _mounts(self, record: str, socket: str) -> list[Any]:
        import docker.types

        places = (("record", self._run, record), ("socket", self._base, socket))
        return [
            docker.types.Mount(target=str(place), source=self._volumes[name], type="volume", read_only=how == "ro")
            for name, place, how in places
        ]


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
