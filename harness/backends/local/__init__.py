"""The back end of this machine: what it needs and prepares. ``backend`` starts the processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from harness.core import procfs
from harness.core.conditions import Condition
from harness.core.errors import UsageError
from harness.core.model import Cell
from harness.stack import load as loads

if TYPE_CHECKING:
    from harness.backends import MakeBackend, Start
    from harness.provision.environments import Environment

PLACE = "this machine"
STAND_INS: tuple[str, ...] = ("docker",)
STARTS_HERE = True
BUILDS_HERE = True
DEVIATIONS: tuple[str, ...] = ()
CACHE = "envs"
DISPOSABLE: tuple[str, ...] = ()


def why_not(cell: Cell, *, memory: bool = False) -> UsageError | None:
    """See ``backends.BackendKind``: every cell can be run here."""
    return None


def answers() -> bool:
    """See ``backends.BackendKind``."""
    return True


def choose_load(cell: Cell) -> tuple[Cell, str | None]:
    """See ``backends.BackendKind``."""
    return loads.choose_load(cell)


def list_programs(proxy: str, load: str) -> tuple[str, ...]:
    """See ``backends.BackendKind``."""
    return proxy, load


def prepare(
    cell: Cell,
    *,
    python: str | None,
    era_shims: bool,
    start: Start | None,
    say: Callable[[str], None],
    project: Sequence[str] | None = None,
) -> tuple[Environment, MakeBackend]:
    """See ``backends.BackendKind``."""
    from harness.backends.local.backend import LocalBackend

    environment = prepare_environment(cell, python=python, era_shims=era_shims, say=say, project=project)
    return environment, partial(LocalBackend, start=start)


def prepare_environment(
    cell: Cell,
    *,
    python: str | None,
    era_shims: bool,
    say: Callable[[str], None],
    project: Sequence[str] | None = None,
) -> Environment:
    """The environment of a release on this machine; it raises the errors of ``prepare``."""
    from harness.provision.environments import prepare
    from harness.provision.spec import parse_spec

    spec = parse_spec(cell.spec)
    return prepare(spec, python=python, worker=cell.worker, say=say, era_shims=era_shims, project=project)


def examine() -> list[Condition]:
    """See ``backends.BackendKind``."""
    count = procfs.read_number(procfs.INOTIFY_INSTANCES) or 0
    return [
        Condition(
            name="inotify",
            ok=count > 0,
            needed=True,
            found=f"{count} instances per user",
            remedy="Raise fs.inotify.max_user_instances.",
        )
    ]


def sweep(*, everything: bool) -> list[str]:
    """See ``backends.BackendKind``: ``active`` lists all that a run here can leave, and environments are shared."""
    return []
