"""What a case can do without: a table with one row for each setting, and how far its numbers go down.

A setting's simplest value is gunicorn's own default, or that there is no such thing at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.core.frozen import dataclass
from harness.core.model import Cell
from harness.disturb import RECYCLE, read_names
from harness.engine.cell_rules import find_contradiction
from harness.stack.workers import find_worker
from harness.studies.minimise.case import Case, change_cell
from harness.studies.minimise.reduction import Change, Reductions

LEAST_RECYCLES = 4
"""So many restarts without the finding end a run; one alone could be luck."""

LEAST_DURATION_S = 2.0
"""A worker that restarts needs a part of a second to boot."""

LEAST: Mapping[str, float] = {
    "load_threads": 1,
    "connections": 1,
    "workers": 1,
    "threads": 2,
    "max_requests": 64,
    "times": 1,
    "recycles": LEAST_RECYCLES,
    "duration_s": LEAST_DURATION_S,
}
"""The least value of a number with which there still is such a thing. With fewer requests a life, a lone worker hardly
serves more than the harness's own probes, and nothing but the finding can be told: ``lower_limit`` comes last."""

OF_THE_RUN = ("recycles", "duration_s", "load_threads")
"""Numbers that say how a run is made, and that no server has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseSetting:
    """One thing that a case may do without. ``matters``: it is likely to, and is tried alone."""

    name: str
    simplest: Callable[[Cell], Mapping[str, Any]]
    field: str  # whose value the reports name
    matters: bool = False

    def leave_out(self, case: Case) -> Case | None:
        """The case without it."""
        return fit(change_cell(case, **self.simplest(case.cell)))


def _always(**values: Any) -> Callable[[Cell], Mapping[str, Any]]:
    return lambda _cell: values


def _without_proxy(cell: Cell) -> Mapping[str, Any]:
    """The proxy's own settings go with it; only the built-in client can talk to a Unix socket."""
    over_socket = cell.proxy != "none" and cell.bind == "unix"
    return {"proxy": "none", "proxy_config": None, "upstream_keepalive": True} | (
        {"load": "httpx"} if over_socket else {}
    )


def _own_app(_cell: Cell) -> Mapping[str, Any]:
    return {"app": None, "path": "/", "expect_status": 200}


def _no_keepalive(cell: Cell) -> Mapping[str, Any]:
    return {} if cell.proxy == "none" else {"upstream_keepalive": False}


def _sync(cell: Cell) -> Mapping[str, Any]:
    """With one thread, gunicorn takes its sync worker instead of the thread worker."""
    return {"threads": 1, "worker": "sync"} if find_worker(cell.worker).has_threads else {}


def _one_class(cell: Cell) -> Mapping[str, Any]:
    return {} if find_worker(cell.worker).has_threads else {"worker": "sync"}


_USUAL = Cell(spec="")
_OF_GUNICORN = ("reuse_port", "preload_app", "umask", "user", "control_socket", "pidfile")
"""Settings that have gunicorn's own default, or the run's, where they are left out."""

SETTINGS: tuple[CaseSetting, ...] = (
    CaseSetting(name="load", field="load", simplest=_always(load="httpx", rate_per_s=None)),
    CaseSetting(name="proxy", field="proxy", simplest=_without_proxy),
    CaseSetting(name="proxy configuration", field="proxy_config", simplest=_always(proxy_config=None)),
    CaseSetting(name="keep-alive of the proxy", field="upstream_keepalive", simplest=_no_keepalive),
    CaseSetting(name="header", field="header", simplest=_always(header=None)),
    CaseSetting(name="body", field="body", simplest=_always(body=None, method="GET")),
    CaseSetting(name="path", field="path", simplest=_always(path="/")),
    CaseSetting(name="app", field="app", simplest=_own_app),
    CaseSetting(name="max_requests_jitter", field="max_requests_jitter", simplest=_always(max_requests_jitter=0)),
    CaseSetting(name="graceful_timeout", field="graceful_timeout", simplest=_always(graceful_timeout=None)),
    CaseSetting(name="timeout", field="timeout", simplest=_always(timeout=None)),
    CaseSetting(name="the whole duration", field="full_duration", simplest=_always(full_duration=False)),
    *(CaseSetting(name=name, field=name, simplest=_always(**{name: getattr(_USUAL, name)})) for name in _OF_GUNICORN),
    CaseSetting(name="recovery", field="recover", simplest=_always(recover=False)),
    CaseSetting(name="bind", field="bind", simplest=_always(bind="tcp"), matters=True),
    CaseSetting(name="threads", field="threads", simplest=_sync, matters=True),
    CaseSetting(name="worker class", field="worker", simplest=_one_class, matters=True),
    CaseSetting(name="max_requests", field="max_requests", simplest=_always(max_requests=0), matters=True),
)
"""In the order in which they are tried."""


def fit(case: Case) -> Case | None:
    """The case, where it contradicts nothing; else None."""
    return case if find_contradiction(case.cell) is None else None


def list_reductions(case: Case) -> Reductions[Case]:
    """All that is tried to make this case smaller."""
    return Reductions(
        lowest=[_to_least(name) for name in LEAST],
        together=[*(one.leave_out for one in SETTINGS if not one.matters), *(one.apply for one in list_leavable(case))],
        narrow=[_values(name) for name in LEAST],
        alone=[one.leave_out for one in SETTINGS if one.matters],
    )


def lower_limit(case: Case) -> Sequence[Case]:
    """The case with each lower limit of requests, the least first."""
    limit = case.cell.max_requests
    lower = [2**power for power in range(limit.bit_length()) if 2**power < limit]
    return [change_cell(case, max_requests=one) for one in lower]


def list_numbers(cell: Cell) -> Iterator[str]:
    """The numbers of a cell that are above their least value."""
    for name, least in LEAST.items():
        if getattr(cell, name) > least:
            yield name


def next_lower(case: Case, name: str) -> Case:
    """The case with the next lower value of a number, of those that are tried."""
    return _values(name)(case)[-1]


def _to_least(name: str) -> Change[Case]:
    def lower(case: Case) -> Case | None:
        least = LEAST[name]
        return (
            fit(change_cell(case, **{name: type(getattr(case.cell, name))(least)})) if _is_above(case, name) else case
        )

    return lower


def _is_above(case: Case, name: str) -> bool:
    return bool(getattr(case.cell, name) > LEAST[name])


def _values(name: str) -> Callable[[Case], Sequence[Case]]:
    """The values below the present one, the least first, each twice the one before."""

    def list_values(case: Case) -> list[Case]:
        present, value, found = getattr(case.cell, name), LEAST[name], []
        while value < present:
            found.append(change_cell(case, **{name: type(present)(value)}))
            value *= 2
        return found

    return list_values


@dataclass(frozen=True, slots=True, kw_only=True)
class Leavable:
    """A part of the case that is no value of the cell alone: a disturbance, a statement, the packages."""

    setting: str
    value: str
    apply: Callable[[Case], Case]


def list_leavable(case: Case) -> Iterator[Leavable]:
    """All such parts of a case."""
    for name in read_names(case.cell.disturb):
        if name != RECYCLE:
            yield Leavable(setting="disturbance", value=name, apply=_without_disturbance(name))
    for statement in case.statements:
        yield Leavable(setting="own settings", value=shorten(statement), apply=_without_statement(statement))
    if case.packages:
        yield Leavable(setting="packages", value=", ".join(case.packages), apply=lambda one: replace(one, packages=()))


def shorten(statement: str) -> str:
    """The first line of a statement."""
    first, _, rest = statement.partition("\n")
    return f"{first} ..." if rest else first


def _without_disturbance(name: str) -> Callable[[Case], Case]:
    def leave_out(case: Case) -> Case:
        left = [one for one in read_names(case.cell.disturb) if one != name]
        return change_cell(case, disturb=",".join(left) or RECYCLE)

    return leave_out


def _without_statement(statement: str) -> Callable[[Case], Case]:
    return lambda case: replace(case, statements=tuple(one for one in case.statements if one != statement))
