"""The connection to a Docker engine, and what its errors mean, each with its remedy.

The engine is the one that the docker client would talk to: ``DOCKER_HOST``, else ``DOCKER_CONTEXT``, else the current
context, else the default socket.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.errors import SurroundingsError

if TYPE_CHECKING:
    from docker import DockerClient

TIMEOUT_S = 60.0
LOOK_S = 3.0
"""For a question whether an engine is there at all."""

RUN_LABEL = "recycle-harness.run"
"""On every container and volume of a run: its marker."""

OWNER_LABEL = "recycle-harness.owner"
"""Beside it: the harness process, as ``HOST/PID/START``."""

IMAGE_LABEL = "recycle-harness.image"
"""On every image that the harness builds: ``gunicorn``, ``h2o``, ``wrk``, or ``stage`` for what a build leaves."""

FACTS_LABEL = "recycle-harness.engine.facts"
BASE_LABEL = "recycle-harness.base"
"""On the base images of ``docker/local-base``: ``debian``, ``python-3.6``. Never removed by the harness."""

_FULL = ("no space left on device", "disk quota exceeded")
_WRONG_PLATFORM = ("exec format error", "no matching manifest", "does not match the specified platform")
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm"}


def connect(*, timeout_s: float = TIMEOUT_S) -> DockerClient:
    """Connect to the engine, which must answer within ``timeout_s``; later answers may take TIMEOUT_S.

    Raises:
        SurroundingsError: no engine answers, or we may not use it.
    """
    try:
        import docker
    except ModuleNotFoundError as problem:
        raise SurroundingsError(
            what="The docker back end needs the Docker SDK for Python, which is not installed.",
            remedy="pip install 'recycle-harness[docker]'",
        ) from problem
    _refuse_missing_context()
    _refuse_missing_socket()
    with speaking(f"The engine at {address()} can't be used"):
        client = docker.from_env(timeout=timeout_s)
        system = client.version().get("Os", "linux")
        client.api.timeout = TIMEOUT_S
    if system != "linux":
        client.close()
        raise SurroundingsError(
            what=f"The engine at {address()} runs {system} containers; gunicorn, h2o and wrk need Linux ones.",
            remedy="Switch the engine to Linux containers, or name another one in DOCKER_HOST.",
        )
    return client


def answers() -> bool:
    """Whether an engine answers at once; False also where the SDK is not installed."""
    try:
        connect(timeout_s=LOOK_S).close()
    except SurroundingsError:
        return False
    return True


def address() -> str:
    """The engine's address, for messages."""
    from docker.context import ContextAPI

    named = os.environ.get("DOCKER_HOST")
    return named or ContextAPI.kwargs_from_context().get("base_url") or "unix:///var/run/docker.sock"


def architecture(client: DockerClient) -> str:
    """The engine's architecture as images name it: amd64, arm64."""
    with speaking("The engine does not tell about itself"):
        machine = str(client.info().get("Architecture", ""))
    return _MACHINES.get(machine, machine)


@contextmanager
def speaking(what: str) -> Iterator[None]:
    """Turn the engine's errors inside the block into a SurroundingsError with ``what`` and the remedy."""
    import docker.errors
    import requests.exceptions

    try:
        yield
    except (docker.errors.DockerException, requests.exceptions.RequestException, OSError) as problem:
        raise explain(what, str(problem)) from problem


def is_about_the_machine(said: str) -> bool:
    """Whether a build failed because of a full disk or another kind of machine, and not because of its content."""
    return any(sign in said.lower() for sign in (*_FULL, *_WRONG_PLATFORM))


def explain(what: str, said: str) -> SurroundingsError:
    """Make the error for a message of the engine or the connection, with the remedy where one is known."""
    lower = said.lower()
    line = " ".join(said.split())[:600]
    if any(sign in lower for sign in _FULL):
        remedy = "Free some space where the engine keeps its data: `harness clean`, `docker system df`."
    elif any(sign in lower for sign in _WRONG_PLATFORM):
        remedy = (
            "The image is made for another kind of machine: name base images for this one in "
            "RECYCLE_HARNESS_PYTHON_IMAGE and RECYCLE_HARNESS_DEBIAN_IMAGE, or unset DOCKER_DEFAULT_PLATFORM."
        )
    elif "permission denied" in lower:
        remedy = (
            "You may not talk to this engine: join the group docker (`sudo usermod -aG docker $USER`, then log in "
            "anew), or use a rootless engine and name it in DOCKER_HOST."
        )
    elif any(sign in lower for sign in ("filenotfounderror", "connection refused", "no such file", "timed out")):
        remedy = (
            "Start an engine (Debian, Ubuntu: apt-get install docker.io; macOS: Docker Desktop or colima), or name one "
            "in DOCKER_HOST or `docker context use`. The local back end needs none: --backend local."
        )
    else:
        remedy = "Read what the engine said; `docker info` tells more."
    return SurroundingsError(what=f"{what}: {line}", remedy=remedy)


def _refuse_missing_socket() -> None:
    """Report the most common case, a missing socket file, in plainer words than the SDK's."""
    scheme, _, path = address().partition("://")
    if scheme in {"unix", "http+unix"} and not Path(path).exists():
        raise explain("No Docker engine is to be found", f"no such file: {path}")


def _refuse_missing_context() -> None:
    """Refuse a context that does not exist: the SDK would silently use the default engine."""
    if os.environ.get("DOCKER_HOST"):
        return
    from docker.context import ContextAPI
    from docker.context.config import get_current_context_name

    name = os.environ.get("DOCKER_CONTEXT") or get_current_context_name()
    if ContextAPI.get_context(name) is None:
        raise SurroundingsError(
            what=f"The docker context {name!r} does not exist.",
            remedy="`docker context ls` lists them; choose one with `docker context use`, or set DOCKER_HOST.",
        )
