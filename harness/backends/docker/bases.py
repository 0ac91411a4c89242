"""Finds the base image of a Python or a Debian, and which version it contains.

The first of these is used: the image that the user named, the one that ``docker/local-base`` made, the public image
that is on the engine, the public image pulled.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from harness.backends.docker import connection
from harness.core.errors import HarnessError, SurroundingsError
from harness.core.frozen import dataclass

if TYPE_CHECKING:
    from docker import DockerClient

PYTHON_VARIABLE = "RECYCLE_HARNESS_PYTHON_IMAGE"
"""The variable with the Python image's tag or digest; ``{version}`` in it stands for 3.6 and so on."""

DEBIAN_VARIABLE = "RECYCLE_HARNESS_DEBIAN_IMAGE"
PYTHON_IMAGE = "python:{version}-slim"
DEBIAN_IMAGE = "debian:12-slim"


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """A base image on the engine. ``version`` is that of its Python; "" for a Debian."""

    name: str
    identity: str
    version: str
    architecture: str


def find_python(client: DockerClient, minor: str, say: Callable[[str], None]) -> Base:
    """Find the base image of a Python ("3.6").

    Raises:
        SurroundingsError: there is none, and none can be pulled.
    """
    named = os.environ.get(PYTHON_VARIABLE, "").replace("{version}", minor)
    base = _find(client, f"python-{minor}", named or PYTHON_IMAGE.format(version=minor), bool(named), say)
    if not base.version.startswith(f"{minor}."):
        raise SurroundingsError(
            what=f"The base image {base.name} has Python {base.version or 'unknown'}, and {minor} is needed.",
            remedy=f"Name another one in {PYTHON_VARIABLE}; {{version}} in it stands for {minor}.",
        )
    return base


def find_debian(client: DockerClient, say: Callable[[str], None]) -> Base:
    """Find the base image that h2o is installed in.

    Raises:
        SurroundingsError: there is none, and none can be pulled.
    """
    named = os.environ.get(DEBIAN_VARIABLE, "")
    return _find(client, "debian", named or DEBIAN_IMAGE, bool(named), say)


def is_here(client: DockerClient, minor: str) -> bool:
    """Whether a Python's base image is on the engine already."""
    import docker.errors

    named = os.environ.get(PYTHON_VARIABLE, "").replace("{version}", minor)
    if not named and _list_local(client, f"python-{minor}"):
        return True
    try:
        client.images.get(named or PYTHON_IMAGE.format(version=minor))
    except docker.errors.ImageNotFound:
        return False
    return True


def _find(client: DockerClient, kind: str, name: str, named: bool, say: Callable[[str], None]) -> Base:
    import docker.errors

    with connection.speaking(f"The base image {name} can't be looked up"):
        local = [] if named else _list_local(client, kind)
        if local:
            return _describe(client, str(local[0].tags[0] if local[0].tags else local[0].id), local[0])
        try:
            image = client.images.get(name)
        except docker.errors.ImageNotFound:
            image = _pull(client, kind, name, say)
        return _describe(client, name, image)


def _list_local(client: DockerClient, kind: str) -> list[Any]:
    """The images that ``docker/local-base`` made, without those built on them, which inherit the label."""
    found = client.images.list(filters={"label": f"{connection.BASE_LABEL}={kind}"})
    return [image for image in found if connection.IMAGE_LABEL not in image.labels]


def _pull(client: DockerClient, kind: str, name: str, say: Callable[[str], None]) -> Any:  # noqa: ANN401 - the SDK is untyped
    import docker.errors
    import requests.exceptions

    say(f"pulling the base image {name}")
    try:
        return client.images.pull(*split_name(name))
    except (docker.errors.DockerException, requests.exceptions.RequestException) as problem:
        explained = connection.explain(f"The base image {name} is not on the engine and can't be pulled", str(problem))
        if "space" in explained.remedy or "kind of machine" in explained.remedy:
            raise explained from problem
        raise NoBaseImageError(what=explained.what, remedy=_remedy(kind)) from problem


class NoBaseImageError(SurroundingsError):
    """A base image is not on the engine and can't be pulled."""


def _remedy(kind: str) -> str:
    version = kind.removeprefix("python-")
    how, variable = ("docker/local-base", DEBIAN_VARIABLE)
    if kind != "debian":
        how, variable = (f"docker/local-base {version}", PYTHON_VARIABLE)
    return f"Make one without a registry (`{how}` in a checkout, as root), or name one of yours in {variable}."


def split_name(name: str) -> tuple[str, str | None]:
    """(repository, tag) as the SDK wants them; a digest stays whole."""
    if "@" in name:
        return name, None
    repository, colon, tag = name.rpartition(":")
    return (repository, tag) if colon and "/" not in tag else (name, "latest")


def _describe(client: DockerClient, name: str, image: Any) -> Base:  # noqa: ANN401 - the SDK is untyped
    attributes = image.attrs
    environment = dict(line.partition("=")[::2] for line in attributes["Config"].get("Env") or ())
    version = environment.get("PYTHON_VERSION", "")
    made_for, runs = attributes.get("Architecture", ""), connection.architecture(client)
    if made_for and runs and made_for != runs:
        raise SurroundingsError(
            what=f"The base image {name} is made for {made_for}, and the engine runs {runs}.",
            remedy=f"Name one for {runs} in {PYTHON_VARIABLE} or {DEBIAN_VARIABLE}, or unset DOCKER_DEFAULT_PLATFORM.",
        )
    return Base(name=name, identity=attributes["Id"], version=version, architecture=made_for)


def try_in_turn(
    client: DockerClient, minors: tuple[str, ...], say: Callable[[str], None]
) -> tuple[Base | None, tuple[tuple[str, HarnessError], ...]]:
    """The first of these Pythons that has a base image, and why those before it have none."""
    refused: list[tuple[str, HarnessError]] = []
    for minor in minors:
        found = _try(client, minor, say)
        if isinstance(found, Base):
            return found, tuple(refused)
        refused.append((minor, found))
    return None, tuple(refused)


def _try(client: DockerClient, minor: str, say: Callable[[str], None]) -> Base | NoBaseImageError:
    try:
        return find_python(client, minor, say)
    except NoBaseImageError as problem:
        return problem
