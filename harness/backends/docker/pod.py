"""The containers of a run: what they share, what they may write, and the limits of each.

The observer owns the process namespace and a network namespace with only a loopback. The proxy and wrk join both;
gunicorn joins the first (and the second only with ``--bind tcp``). The namespaces outlive any server that dies. They
end with all servers in them when the harness ends, in whatever way, because that closes the observer's input.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.backends.docker.archives import Folder, Porter

if TYPE_CHECKING:
    from docker import APIClient

MIB = 1 << 20
MEMORY_BYTES: Mapping[str, int] = {"gunicorn": 2048 * MIB, "proxy": 512 * MIB, "clients": 1024 * MIB}
PROCESSES = 4096
"""Limits of each container: far above what an experiment takes, and below what would hurt the machine."""

GUNICORN_UID = 10001
PROXY_FOLDER = "proxy"
"""A proxy's temporary files, below the run's scratch folder: in memory, because it may not write to the volume."""

_SCRATCH = "mode=1777,size=256m"
_TMP = {"/tmp": _SCRATCH}  # noqa: S108 - the container's own


class Pod:
    """Two volumes, mounted at ``record`` and at ``base`` (the folder of the socket), and containers that share them.

    ``observer`` is the first one, made of the image ``clients`` and not started yet; the ``porter`` copies files
    through it. All that is made has the labels, by which it is found again and removed.
    """

    def __init__(self, api: APIClient, labels: Mapping[str, str], *, clients: str, record: Path, base: Path) -> None:
        self._api = api
        self._labels = dict(labels)
        self._base = base
        self._volumes = {place: str(api.create_volume(labels=self._labels)["Name"]) for place in (record, base)}
        options = {"network_mode": "none", "mounts": self._mounts(), "tmpfs": _TMP}
        command = ["python3", "-m", "harness.watch.remote"]
        self.observer = self._create("clients", clients, options, command=command, stdin_open=True)
        self.porter = Porter(api=api, container=self.observer)
        owned = [Folder(name=name, owner=GUNICORN_UID) for name in ("socket", "home")]
        self.porter.make(base, [*owned, Folder(name=PROXY_FOLDER, mode=0o1777)])
        self.porter.make(record, [Folder(name="config"), Folder(name="logs", mode=0o1777)])

    def create_server(self, role: str, image: str, *, alone: bool, **more: Any) -> str:
        """Create a container that joins the observer, without starting it; ``alone``: without the network.

        ``role`` is one of MEMORY_BYTES: only gunicorn may change the socket's folder.
        """
        shared = f"container:{self.observer}"
        options = {
            "network_mode": "none" if alone else shared,
            "pid_mode": shared,
            "mounts": self._mounts(owns_socket=role == "gunicorn"),
            "tmpfs": _TMP | {str(self._base / PROXY_FOLDER): _SCRATCH},
        }
        return self._create(role, image, options, **more)

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

    def _mounts(self, *, owns_socket: bool = True) -> list[Any]:
        import docker.types

        return [
            docker.types.Mount(target=str(place), source=volume, type="volume", read_only=not writable)
            for (place, volume), writable in zip(self._volumes.items(), (True, owns_socket), strict=True)
        ]
