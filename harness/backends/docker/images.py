"""The three images of a run: gunicorn on its Python, the proxy, and the clients with the observer.

This module knows which cells have images, and prepares all three; ``gunicorn_image`` and ``tool_images`` make each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace

from harness.backends.docker import building, connection
from harness.backends.docker.building import Image
from harness.backends.docker.gunicorn_image import prepare_gunicorn
from harness.backends.docker.tool_images import ask_version, prepare_clients, prepare_proxy
from harness.core import paths
from harness.core.errors import SurroundingsError, UsageError
from harness.core.frozen import dataclass
from harness.core.model import Cell, Json
from harness.provision.environments import Environment
from harness.stack.asked import is_plain_get
from harness.stack.load import LOADS
from harness.stack.programs import recipe_of
from harness.stack.proxies import PROXIES


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSet:
    """The images of one run; ``proxy`` is None where the cell has none."""

    gunicorn: Image
    clients: Image
    proxy: Image | None
    versions: Mapping[str, str]  # of h2o, wrk, as they state them

    def facts(self) -> dict[str, Json]:
        """For ``facts.json``: name and digest of each."""
        named = {"gunicorn": self.gunicorn, "clients": self.clients, "proxy": self.proxy}
        return {name: {"tag": image.tag, "id": image.identity} for name, image in named.items() if image is not None}


def why_not(cell: Cell) -> UsageError | None:
    """Why a cell can't be run in containers; None where it can."""
    proxies = [name for name, proxy in PROXIES.items() if proxy is None or proxy.IMAGE is not None]
    loads = [name for name, load in LOADS.items() if load.IMAGE is not None]
    if cell.proxy not in proxies:
        return UsageError(
            what=f"--backend docker has no image for --proxy {cell.proxy}.",
            remedy=f"Use one of: {', '.join(proxies)}; or --backend local.",
        )
    if cell.load not in loads:
        return UsageError(
            what=f"--backend docker has no image for --load {cell.load}.",
            remedy=f"Use one of: {', '.join(loads)}; or --backend local.",
        )
    if not is_plain_get(cell):
        return UsageError(
            what="The clients in containers send a GET of / and nothing else.",
            remedy="Leave --path, --method, --body, --header and --expect-status out, or use --backend local.",
        )
    if cell.app is not None:
        return UsageError(
            what="--app: an app of your own, with all that it imports, is in no image.",
            remedy="Leave --app out, or use --backend local.",
        )
    return None


def prepare(cell: Cell, *, python: str | None, say: Callable[[str], None]) -> tuple[Environment, ImageSet]:
    """Find or build all images of a cell; the environment keeps them. ``say`` gets a line for each slow step.

    Raises:
        UnrunnableError: this gunicorn can't be installed.
        SurroundingsError: the engine, the index or a base image failed.
        UsageError: the cell can't be run in containers.
    """
    client = connection.connect()
    try:
        building.work_dir().mkdir(parents=True, exist_ok=True)
        with ExitStack() as leases:
            gunicorn, environment = prepare_gunicorn(client, cell, python, say)
            leases.callback(gunicorn.lease.close)
            clients = prepare_clients(client, say)
            leases.callback(clients.lease.close)
            proxy = prepare_proxy(client, cell, say)
            versions = {cell.load: ask_version(client, clients, recipe_of(cell.load))}
            if proxy is not None:
                leases.callback(proxy.lease.close)
                versions[cell.proxy] = ask_version(client, proxy, recipe_of(cell.proxy))
            leases.pop_all()  # nothing failed, so the caller owns them now
        beside = tuple(image.lease for image in (clients, proxy) if image is not None)
        environment = replace(environment, leases=(*environment.leases, *beside))
        return environment, ImageSet(gunicorn=gunicorn, clients=clients, proxy=proxy, versions=versions)
    except OSError as problem:
        raise SurroundingsError(
            what=f"The images can't be prepared: {problem}.",
            remedy=f"See to the space in and the permissions of {paths.cache_dir()}, or set RECYCLE_HARNESS_CACHE.",
        ) from problem
    finally:
        client.close()
