"""Removes what runs leave on an engine: containers, volumes and images, which are found by their labels alone.

A run belongs to the process that its label names. If that process was on this machine and has ended, the run is
abandoned. Of another machine's runs (one engine may serve several) only their containers are known.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from harness.backends.docker import building, connection
from harness.core import locks, procfs

if TYPE_CHECKING:
    from docker import DockerClient

STRANGE_S = 600.0
"""The age at which another machine's run counts as abandoned, if none of its containers runs."""


def owner() -> str:
    """The value of OWNER_LABEL for this process."""
    return f"{platform.node()}/{os.getpid()}/{procfs.start_ticks(os.getpid()) or 0}"


def remove_run(client: DockerClient, marker: str) -> int:
    """Remove everything that carries a run's marker; return the number of its containers. Idempotent."""
    filters = {"label": f"{connection.RUN_LABEL}={marker}"}
    api = client.api
    with connection.speaking("The run's containers could not be removed"):
        containers = [str(one["Id"]) for one in api.containers(all=True, filters=filters)]
        _in_parallel([partial(api.remove_container, name, force=True, v=True) for name in containers])
        volumes = [str(one["Name"]) for one in api.volumes(filters=filters).get("Volumes") or ()]
        _in_parallel([partial(api.remove_volume, name, force=True) for name in volumes])
    return len(containers)


def find_abandoned(client: DockerClient) -> tuple[str, ...]:
    """The markers of the runs whose harness no longer lives."""
    with connection.speaking("The engine's containers can't be looked at"):
        containers = client.api.containers(all=True, filters={"label": connection.RUN_LABEL})
        volumes = client.api.volumes(filters={"label": connection.RUN_LABEL}).get("Volumes") or ()
    known: dict[str, list[tuple[str, bool, float]]] = {}
    for one in containers:
        row = (one["Labels"].get(connection.OWNER_LABEL, ""), one["State"] == "running", float(one["Created"]))
        known.setdefault(one["Labels"][connection.RUN_LABEL], []).append(row)
    for one in volumes:
        row = (one["Labels"].get(connection.OWNER_LABEL, ""), False, _seconds(one.get("CreatedAt", "")))
        known.setdefault(one["Labels"][connection.RUN_LABEL], []).append(row)
    return tuple(marker for marker, rows in sorted(known.items()) if is_abandoned(rows))


def remove_abandoned(client: DockerClient) -> Iterator[str]:
    """Remove what abandoned runs left on the engine; return a line for each run."""
    for marker in find_abandoned(client):
        count = remove_run(client, marker)
        yield f"containers of the interrupted run {marker.rpartition('.')[0]}: {count} removed, and its volumes"


def remove_images(client: DockerClient, *, everything: bool) -> Iterator[str]:
    """Remove the images of this user's runs that no live process uses, and what builds left; return a line for each.

    ``everything``: also those of other users of the engine, unless a container uses them.
    """
    with connection.speaking("The engine's images can't be looked at"):
        images = client.api.images(all=False, filters={"label": connection.IMAGE_LABEL})
    for image in images:
        key = (image.get("Labels") or {}).get(f"{connection.IMAGE_LABEL}-key")
        name = (image.get("RepoTags") or [image["Id"][:19]])[0]
        ours = key is None or everything or building.lock_of(key).exists()
        if ours and _remove_image(client, image["Id"], key):
            yield f"removed the image {name} ({image['Size'] / 1e6:.0f} MB)"


def _remove_image(client: DockerClient, identity: str, key: str | None) -> bool:
    """Remove an image unless a process, a container or another image uses it; return whether it was removed."""
    import docker.errors

    lease = locks.try_exclusive(building.lock_of(key)) if key else None
    if key and lease is None:
        return False
    try:
        with connection.speaking(f"The image {identity[:19]} could not be removed"):
            try:
                client.api.remove_image(identity, force=True)
            except docker.errors.APIError as problem:
                if problem.status_code not in (404, 409):
                    raise
                return False
        if key:
            building.lock_of(key).unlink(missing_ok=True)
    finally:
        if lease is not None:
            lease.close()
    return True


def is_abandoned(rows: list[tuple[str, bool, float]]) -> bool:
    """Whether nobody will remove a run's containers, given as (owner, whether it runs, when it was made)."""
    host, _, process = rows[0][0].partition("/")
    if host == platform.node() and process:
        pid, _, start = process.partition("/")
        return not pid.isdigit() or procfs.start_ticks(int(pid)) != int(start or 0)
    runs = any(running for _, running, _ in rows)
    return not runs and time.time() - max(created for *_, created in rows) > STRANGE_S


def _seconds(stamp: str) -> float:
    try:
        return datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()
    except ValueError:
        return 0.0


def _in_parallel(calls: list[Callable[[], Any]]) -> None:
    """Make all calls. Things that are gone, or are being removed, are no error; the first other error is raised."""
    import docker.errors

    def forgiving(call: Callable[[], Any]) -> None:
        try:
            call()
        except docker.errors.APIError as problem:
            if problem.status_code != 404 and "already in progress" not in str(problem):  # noqa: PLR2004 - not found
                raise

    with ThreadPoolExecutor(max(1, len(calls))) as pool:
        for done in [pool.submit(forgiving, call) for call in calls]:
            done.result()
