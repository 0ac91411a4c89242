"""The list of cells, for people and for CI systems that spread it over machines.

Pure. GitHub takes the JSON for ``strategy.matrix``; GitLab's ``parallel: matrix`` is written into the file, and the
list says what belongs there. Both run ``harness matrix`` with a shard or with the releases of one job.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

from harness.core.errors import UsageError
from harness.core.model import Json
from harness.disturb import RECYCLE
from harness.studies.matrix.plan import PlannedCell
from harness.studies.matrix.selection import Shard, take_shard

MOST_JOBS = {"github": 256, "gitlab": 200}
"""How many jobs the CI systems accept for one matrix: their documented limits."""


def render_text(cells: Sequence[PlannedCell], shards: int | None) -> str:
    """A line a cell: the shard, where there are several; release, worker, proxy; the disturbance, if there is one."""
    rows = []
    for shard in _shards(shards):
        rows += [f"{shard} {_line(planned)}" if shard else _line(planned) for planned in _part(cells, shard)]
    return "".join(f"{row}\n" for row in rows)


def render_json(cells: Sequence[PlannedCell], shards: int | None) -> str:
    """A JSON list of objects, one a cell."""
    rows: list[Json] = []
    for shard in _shards(shards):
        of_shard: dict[str, Json] = {} if shard is None else {"shard": str(shard)}
        rows += [of_shard | _keys(planned) for planned in _part(cells, shard)]
    return json.dumps(rows, indent=1) + "\n"


def render_github(cells: Sequence[PlannedCell], shards: int | None) -> str:
    """One line of JSON for ``strategy.matrix``: an ``include`` for each shard, or, without shards, for each release."""
    if shards is None:
        releases = dict.fromkeys(planned.cell.spec for planned in cells)
        include: list[Json] = [{"versions": spec, "cells": _count(cells, spec)} for spec in releases]
    else:
        include = [
            {"shard": str(shard), "releases": " ".join(_specs(part)), "cells": len(part)}
            for shard in _shards(shards)
            if (part := _part(cells, shard))
        ]
    _refuse_too_many(len(include), "github")
    return json.dumps({"include": include}) + "\n"


def render_gitlab(cells: Sequence[PlannedCell], shards: int | None) -> str:
    """One line of JSON, which is YAML too, for ``parallel: matrix``: the variable SHARD, or else VERSIONS."""
    if shards is None:
        values = list(dict.fromkeys(planned.cell.spec for planned in cells))
        matrix = [{"VERSIONS": values}]
    else:
        values = [str(shard) for shard in _shards(shards) if _part(cells, shard)]
        matrix = [{"SHARD": values}]
    _refuse_too_many(len(values), "gitlab")
    return json.dumps(matrix) + "\n"


LISTINGS: Mapping[str, Callable[[Sequence[PlannedCell], int | None], str]] = {
    "text": render_text,
    "json": render_json,
    "github": render_github,
    "gitlab": render_gitlab,
}
"""By the name of ``--format``."""


def _shards(count: int | None) -> tuple[Shard | None, ...]:
    return (None,) if count is None else tuple(Shard(number=number, of=count) for number in range(1, count + 1))


def _part(cells: Sequence[PlannedCell], shard: Shard | None) -> tuple[PlannedCell, ...]:
    return take_shard(cells, shard, spec_of=lambda planned: planned.cell.spec)


def _specs(cells: Sequence[PlannedCell]) -> list[str]:
    return list(dict.fromkeys(planned.cell.spec for planned in cells))


def _count(cells: Sequence[PlannedCell], spec: str) -> int:
    return sum(planned.cell.spec == spec for planned in cells)


def _line(planned: PlannedCell) -> str:
    cell = planned.cell
    return f"{cell.spec} {cell.worker} {cell.proxy}" + ("" if cell.disturb == RECYCLE else f" {cell.disturb}")


def _keys(planned: PlannedCell) -> dict[str, Json]:
    cell = planned.cell
    return {
        "name": planned.name,
        "spec": cell.spec,
        "worker": cell.worker,
        "proxy": cell.proxy,
        "bind": cell.bind,
        "disturb": cell.disturb,
    }


def _refuse_too_many(jobs: int, system: str) -> None:
    if jobs > MOST_JOBS[system]:
        raise UsageError(
            what=f"{jobs} jobs are more than the {MOST_JOBS[system]} that one matrix may have on {system}.",
            remedy="Deal the cells out to fewer jobs with --shards.",
        )
