"""The images without gunicorn: the proxy, and wrk beside the observer, which is the harness's own watchers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from harness.backends.docker import bases, building, connection, leftovers, wheels
from harness.backends.docker.building import Image, ImageRecipe
from harness.core import paths
from harness.core.model import Cell, Json
from harness.provision import tools
from harness.stack.load import wrk
from harness.stack.proxies import PROXIES

if TYPE_CHECKING:
    from docker import DockerClient

OBSERVER_PYTHONS = ("3.12", "3.11", "3.13", "3.10")
OBSERVER_NEEDS = ("h11", "inotify-simple")
"""The third-party packages that the harness's watchers import."""


def prepare_proxy(client: DockerClient, cell: Cell, say: Callable[[str], None]) -> Image | None:
    """The proxy's image; None where the cell has no proxy."""
    proxy = PROXIES[cell.proxy]
    if proxy is None or proxy.IMAGE is None:
        return None
    base = bases.find_debian(client, say)
    recipe = ImageRecipe(
        kind=proxy.IMAGE,
        dockerfile=building.read_dockerfile("proxy"),
        matter=(base.identity,),
        arguments={"BASE": base.name, "PACKAGE": proxy.IMAGE},
        fill=lambda folder: {},
    )
    return building.obtain(client, recipe, say)


def prepare_clients(client: DockerClient, say: Callable[[str], None]) -> Image:
    """The image with wrk, and the observer with all that it imports."""
    here = tuple(minor for minor in OBSERVER_PYTHONS if bases.is_here(client, minor))
    base, refused = bases.try_in_turn(client, here or OBSERVER_PYTHONS, say)
    if base is None:
        raise refused[0][1]
    needs = tuple(_pin(name) for name in OBSERVER_NEEDS)
    own = own_code()
    target = wheels.Target(version=base.version, architecture=base.architecture)

    def fill(folder: Path) -> Mapping[str, Json]:
        log = building.work_dir() / "resolving.log"
        freeze = wheels.fill(folder / "wheels", needs, target, subject="the observer", log=log)
        for path, content in own.items():
            place = folder / "harness" / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        return {"python_version": base.version, "freeze": sorted(freeze)}

    digest = hashlib.sha256(b"".join(path.encode() + b"\0" + content for path, content in own.items())).hexdigest()
    recipe = ImageRecipe(
        kind=wrk.IMAGE,
        dockerfile=building.read_dockerfile(wrk.IMAGE),
        matter=(base.identity, digest),
        arguments={"BASE": base.name, "PINS": " ".join(needs)},
        fill=fill,
    )
    return building.obtain(client, recipe, say)


def ask_version(client: DockerClient, image: Image, recipe: tools.Recipe) -> str:
    """The version that the program in an image prints; asked once for each image."""
    name = recipe.name
    known = building.work_dir() / f"{image.identity.rpartition(':')[2]}.{name}"
    if known.is_file():
        return known.read_text(encoding="utf-8")
    with connection.speaking(f"{image.tag} could not be asked for its version of {name}"):
        container = client.api.create_container(
            image.identity,
            command=[name, recipe.version_argument],
            labels={connection.RUN_LABEL: f"version-of-{name}", connection.OWNER_LABEL: leftovers.owner()},
            host_config=client.api.create_host_config(network_mode="none", cap_drop=["ALL"], read_only=True),
        )["Id"]
        try:
            client.api.start(container)
            client.api.wait(container)
            said = client.api.logs(container).decode("utf-8", "replace")
        finally:
            client.api.remove_container(container, force=True)
    return building.remember(known, tools.parse_version(recipe, said))


def _pin(name: str) -> str:
    """The package pinned to the version beside the harness; one that only Linux needs may be missing here."""
    try:
        return f"{name}=={metadata.version(name)}"
    except metadata.PackageNotFoundError:
        return name


def own_code() -> dict[str, bytes]:
    """The packages up to ``watch``, by their path below ``harness``: what the observer is made of."""
    package = Path(paths.__file__).parents[1]
    names = ("*.py", *(f"{name}/**/*.py" for name in ("core", "provision", "stack", "watch")))
    found = sorted(path for name in names for path in package.glob(name))
    return {str(path.relative_to(package)): path.read_bytes() for path in found}
