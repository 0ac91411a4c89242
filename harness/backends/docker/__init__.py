"""The back end in containers of a Docker or Podman engine: what it refuses, needs and prepares.

``backend`` starts the servers; the observer, which runs beside them, watches. Both are imported when they are used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.conditions import Condition
from harness.core.errors import SurroundingsError, UsageError
from harness.core.model import Cell

if TYPE_CHECKING:
    from harness.backends import Backend, MakeBackend, Start
    from harness.provision.environments import Environment

PLACE = "a Docker engine"
STAND_INS: tuple[str, ...] = ()
STARTS_HERE = False
BUILDS_HERE = False
DEVIATIONS: tuple[str, ...] = (
    "servers and load: in containers without capabilities and with a read-only root, on a network that is a loopback",
)
CACHE = "docker"
DISPOSABLE: tuple[str, ...] = ("wheels",)
PATIENCE_S = 5.0
"""How long ``harness doctor`` waits for an engine."""


def why_not(cell: Cell, *, memory: bool = False) -> UsageError | None:
    """See ``backends.BackendKind``."""
    from harness.backends.docker import images
    from harness.disturb import DISTURBANCES, list_needs, list_turns
    from harness.disturb.course import Prerequisite

    for name in list_turns(cell):
        unmet = next(
            (need for need in Prerequisite if need in DISTURBANCES[name].NEEDS and need is not Prerequisite.PATH), None
        )
        if unmet is not None:
            return UsageError(what=f"--disturb {name}: {unmet.value}.", remedy="Use --backend local.")
    refused = next((what for asked, what in _list_refused(cell) if asked), None)
    if refused is not None:
        return UsageError(what=refused, remedy="Use --backend local.")
    unmet = next((need for need in list_needs(cell) if need is not Prerequisite.PATH), None)
    if unmet is not None:
        return UsageError(what=f"--aim {cell.aim}: {unmet.value}.", remedy="Use --backend local.")
    problem = images.why_not(cell)
    if problem is None and memory:
        return UsageError(
            what="The memory of processes in containers can't be looked at.", remedy="Use --backend local."
        )
    return problem


def _list_refused(cell: Cell) -> Iterable[tuple[bool, str]]:
    """What a cell may ask for, and why a container has it not."""
    return (
        (cell.recover, "--recover starts gunicorn anew, and one in a container can't be started beside its observer."),
        (cell.proxy_config is not None, "--proxy-config: what your configuration names does not lie in a container."),
        (cell.bind == "abstract", "--bind abstract: such a socket can't be reached from another container."),
    )


def answers() -> bool:
    """See ``backends.BackendKind``; False also where the SDK is not installed."""
    from harness.backends.docker import connection

    return connection.answers()


def choose_load(cell: Cell) -> tuple[Cell, str | None]:
    """See ``backends.BackendKind``: an image has the load that the cell names."""
    return cell, None


def list_programs(proxy: str, load: str) -> tuple[str, ...]:
    """See ``backends.BackendKind``: none, because the programs are in their images."""
    return ()


def prepare(
    cell: Cell,
    *,
    python: str | None,
    era_shims: bool,
    start: Start | None,
    say: Callable[[str], None],
    project: Sequence[str] | None = None,
) -> tuple[Environment, MakeBackend]:
    """See ``backends.BackendKind``. ``start`` is about processes of this machine, and images need no era shims."""
    from harness.backends.docker import images
    from harness.backends.docker.backend import DockerBackend

    if project:
        raise UsageError(
            what="What a project of yours needs beside gunicorn is in no image.",
            remedy="Leave --with and --with-requirements out, or use --backend local.",
        )
    environment, image_set = images.prepare(cell, python=python, say=say)

    def make(marker: str, run_folder: Path) -> Backend:
        return DockerBackend(marker, run_folder, images=image_set, cell=cell)

    return environment, make


def examine() -> list[Condition]:
    """See ``backends.BackendKind``."""
    from harness.backends.docker import connection

    try:
        client = connection.connect(timeout_s=PATIENCE_S)
    except SurroundingsError as problem:
        found = f"{problem.what} The local back end needs none."
        return [Condition(name="docker", ok=False, needed=False, found=found, remedy=problem.remedy)]
    try:
        version = client.version().get("Version", "of unknown version")
    finally:
        client.close()
    return [Condition(name="docker", ok=True, needed=False, found=f"engine {version} at {connection.address()}")]


def sweep(*, everything: bool) -> list[str]:
    """See ``backends.BackendKind``. An engine that does not answer at once is skipped."""
    from importlib.util import find_spec

    if find_spec("docker") is None:
        return []
    from harness.backends.docker import connection, leftovers

    try:
        client = connection.connect(timeout_s=connection.LOOK_S)
    except SurroundingsError:
        return []
    try:
        return [*leftovers.remove_abandoned(client), *leftovers.remove_images(client, everything=everything)]
    finally:
        client.close()
