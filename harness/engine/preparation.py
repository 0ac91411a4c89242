"""Prepares a run, before it has a record: chooses its load and its back end, and prepares gunicorn's environment."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType

from harness.backends import BACKENDS, MakeBackend, Start
from harness.core.errors import HarnessError, UnrunnableError, UsageError
from harness.core.frozen import dataclass
from harness.core.model import Cell
from harness.engine.cell_rules import find_contradiction
from harness.engine.request import RunRequest
from harness.provision.compatibility import NoInterpreterError
from harness.provision.environments import Environment
from harness.provision.spec import Latest, Release, parse_spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A request with the back end that was chosen for it and gunicorn's environment there.

    A context manager: after its end the environment may be removed.
    """

    request: RunRequest
    make_backend: MakeBackend | None
    environment: Environment | None
    problem: HarnessError | None
    note: str | None = None

    def require(self) -> tuple[Environment, MakeBackend]:
        """The environment, and how to make the back end of a run in it; raises why there is none."""
        if self.environment is None or self.make_backend is None:
            raise self.problem or UnrunnableError(what="There is no environment, and no reason was given.")
        return self.environment, self.make_backend

    def __enter__(self) -> Prepared:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, at: TracebackType | None
    ) -> None:
        if self.environment is not None:
            self.environment.close()


def prepare_run(request: RunRequest, start: Start | None, say: Callable[[str], None]) -> Prepared:
    """The environment on the cell's back end, or, where no Python there runs the release, on one that replaces it."""
    prepared = _prepare(request, start, say)
    name = None if prepared.problem is None else _find_stand_in(request, prepared.problem)
    if name is None:
        return prepared
    say(f"no Python here runs this release, and {BACKENDS[name].PLACE} answers: going on with --backend {name}")
    instead = _prepare(replace(request, cell=replace(request.cell, backend=name)), start, say)
    environment, note = instead.environment, f"It ran with --backend {name}: no Python here runs this release."
    if environment is not None:
        looked_at = (*getattr(prepared.problem, "looked_at", ()), *environment.looked_at)
        environment = replace(environment, looked_at=looked_at)
    return replace(instead, environment=environment, note=note)


def _prepare(request: RunRequest, start: Start | None, say: Callable[[str], None]) -> Prepared:
    request = settle_load(request)
    try:
        request = settle_settings(request, say)
        _check_proxy_config(request.cell)
        backend = BACKENDS[request.cell.backend]
        environment, make = backend.prepare(
            request.cell,
            python=request.python,
            era_shims=request.era_shims,
            start=start,
            say=say,
            project=request.project,
        )
        if backend.STARTS_HERE:
            environment = _try_shims(environment, request, say)
    except UsageError:
        raise
    except HarnessError as problem:
        return Prepared(request=request, make_backend=None, environment=None, problem=problem)
    return Prepared(request=request, make_backend=make, environment=environment, problem=None)


def settle_settings(request: RunRequest, say: Callable[[str], None]) -> RunRequest:
    """The request with the user's own settings read by gunicorn, on this machine whatever the back end."""
    if request.own is None:
        return request
    if not BACKENDS[request.cell.backend].STARTS_HERE and not isinstance(
        parse_spec(request.cell.spec), Release | Latest
    ):
        raise UsageError(
            what=f"--settings are read by gunicorn on this machine, where --backend {request.cell.backend} runs "
            f"nothing of {request.cell.spec}.",
            remedy="Give the settings as options, or use --backend local where you trust what SPEC names.",
        )
    from harness.engine.settings_reading import resolve_settings

    say("gunicorn reads your settings")
    request = resolve_settings(
        request, lambda one: _local_environment(one, say), proxy_is_another_user=os.geteuid() == 0
    )
    problem = find_contradiction(request.cell)
    if problem is not None:
        raise problem
    return request


def _check_proxy_config(cell: Cell) -> None:
    if cell.proxy_config is not None:
        from harness.engine.own_proxy import check_own_proxy
        from harness.engine.servers import base_environment

        check_own_proxy(cell, base_environment)


def _try_shims(environment: Environment, request: RunRequest, say: Callable[[str], None]) -> Environment:
    """What is no release gets the shims that it needs to start; releases have theirs from the catalogue."""
    if environment.revision is None:
        return environment
    from harness.engine.start_trials import with_tried_shims

    try:
        return with_tried_shims(environment, request.cell, say)
    except BaseException:
        environment.close()
        raise


def _find_stand_in(request: RunRequest, problem: HarnessError) -> str | None:
    if not isinstance(problem, NoInterpreterError):
        return None
    for name in BACKENDS[request.cell.backend].STAND_INS:
        if BACKENDS[name].why_not(request.cell, memory=request.memory) is None and BACKENDS[name].answers():
            return name
    return None


def settle_load(request: RunRequest) -> RunRequest:
    """The request with a load that the back end has, if the user named none."""
    if request.load_named:
        return request
    cell, note = BACKENDS[request.cell.backend].choose_load(request.cell)
    return replace(request, cell=cell, load_note=note)


def prepare_environment(
    request: RunRequest, say: Callable[[str], None]
) -> tuple[Environment | None, HarnessError | None]:
    """The environment for the request, or why there is none.

    Raises:
        UsageError: the SPEC or the interpreter doesn't exist.
    """
    try:
        return _try_shims(_local_environment(request, say), request, say), None
    except UsageError:
        raise
    except HarnessError as problem:
        return None, problem


def _local_environment(request: RunRequest, say: Callable[[str], None]) -> Environment:
    from harness.backends.local import prepare_environment

    return prepare_environment(
        request.cell, python=request.python, era_shims=request.era_shims, say=say, project=request.project
    )
