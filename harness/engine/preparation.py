"""Before a run has a record: its load, its back end, and the environment that gunicorn gets there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.backends import Backend
from harness.core.errors import HarnessError, UsageError
from harness.engine.request import RunRequest
from harness.stack.load import choose_load

if TYPE_CHECKING:
    from harness.provision.environments import Environment

MakeBackend = Callable[[str, Path], Backend]
"""(the run's marker, its folder) -> where its processes live."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Where gunicorn will live: what is wished for, on the back end that it came to, and what it runs in."""

    request: RunRequest
    make_backend: MakeBackend
    environment: Environment | None
    problem: HarnessError | None
    note: str | None = None


def prepare_run(request: RunRequest, make_backend: MakeBackend, say: Callable[[str], None]) -> Prepared:
    """The environment here, or in an image; in an image also where no Python here will do and an engine answers."""
    if request.cell.backend == "docker":
        return _prepare_images(request, make_backend, say)
    settled = settle_load(request)
    environment, problem = prepare_environment(settled, say)
    if problem is not None and _falls_through(request, problem):
        return _go_on_in_containers(request, make_backend, problem, say)
    return Prepared(request=settled, make_backend=make_backend, environment=environment, problem=problem)


def _go_on_in_containers(
    request: RunRequest,
    make_backend: MakeBackend,
    problem: HarnessError,
    say: Callable[[str], None],
) -> Prepared:
    say("no Python here runs this release, and a Docker engine answers: going on with --backend docker")
    prepared = _prepare_images(replace(request, cell=replace(request.cell, backend="docker")), make_backend, say)
    environment, note = prepared.environment, "It ran with --backend docker: no Python here runs this release."
    if environment is not None:
        looked_at = (*getattr(problem, "looked_at", ()), *environment.looked_at)
        environment = replace(environment, looked_at=looked_at)
    return replace(prepared, environment=environment, note=note)


def _falls_through(request: RunRequest, problem: HarnessError) -> bool:
    from harness.backends.docker import connection as containers
    from harness.backends.docker.images import why_not
    from harness.provision.compatibility import NoInterpreterError

    can_go = isinstance(problem, NoInterpreterError) and not request.memory and why_not(request.cell) is None
    return can_go and containers.answers()


def _prepare_images(request: RunRequest, make_backend: MakeBackend, say: Callable[[str], None]) -> Prepared:
    from harness.backends.docker.backend import DockerBackend
    from harness.backends.docker.images import prepare

    try:
        environment, images = prepare(request.cell, python=request.python, say=say)
    except UsageError:
        raise
    except HarnessError as problem:
        return Prepared(request=request, make_backend=make_backend, environment=None, problem=problem)

    def make(marker: str, run_folder: Path) -> Backend:
        return DockerBackend(marker, run_folder, images=images, cell=request.cell)

    return Prepared(request=request, make_backend=make, environment=environment, problem=None)


def settle_load(request: RunRequest) -> RunRequest:
    """The wish with a load that can be had here, where nobody named one; what another back end has is not known."""
    if request.load_named or request.cell.backend != "local":
        return request
    cell, note = choose_load(request.cell)
    return replace(request, cell=cell, load_note=note)


def prepare_environment(
    request: RunRequest, say: Callable[[str], None]
) -> tuple[Environment | None, HarnessError | None]:
    """The environment for what is wished, or why there is none; UsageError where it can't be meant."""
    from harness.provision.environments import prepare
    from harness.provision.spec import parse_spec

    spec = parse_spec(request.cell.spec)
    try:
        return prepare(spec, python=request.python, worker=request.cell.worker, say=say), None
    except UsageError:
        raise
    except HarnessError as problem:
        return None, problem
