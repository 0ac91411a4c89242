"""A cell as JSON and as a name: what ``cell.json`` and the ``cell`` object of ``verdict.json`` hold.

Pure text and types; no file is read here. Cells that are read come from other machines too, so types are checked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from harness.core.errors import UsageError
from harness.core.model import Cell, Json

CELL_ID_CHARS = 100

CONTRACT_KEYS = (
    "gunicorn",
    "python",
    "worker",
    "proxy",
    "bind",
    "backend",
    "workers",
    "threads",
    "max_requests",
    "max_requests_jitter",
    "load",
)
"""The keys of a cell that the contract names, in its order."""

_OPTIONAL = {"gunicorn", "python", "port", "app", "rate_per_s", "scenario"}
_NUMBERS = {"duration_s"}
_SWITCHES = {"full_duration", "trace", "upstream_keepalive", "ledger"}
_COUNTS = {
    "threads",
    "workers",
    "max_requests",
    "max_requests_jitter",
    "load_threads",
    "connections",
    "recycles",
    "port",
    "rate_per_s",
}


def cell_to_json(cell: Cell) -> dict[str, Json]:
    """Every field of the cell, the contract's keys first; unknown versions are null, ``scenario`` is there if set."""
    values: dict[str, Json] = asdict(cell)
    if cell.scenario is None:
        del values["scenario"]
    ordered = {key: values.pop(key) for key in CONTRACT_KEYS}
    return ordered | values


def cell_from_json(data: object, *, where: str) -> Cell:
    """The cell that ``data`` describes; unknown keys are left out, missing ones have the report's default.

    Raises:
        UsageError: not an object, no ``spec``, or a value of a wrong type; names ``where`` (the file) and the key.
    """
    if not isinstance(data, Mapping):
        raise UsageError(what=f"{where} holds {_kind(data)}, not an object.", remedy=_REMEDY)
    if "spec" not in data:
        raise UsageError(what=f"{where} has no key 'spec': it does not say which release was tested.", remedy=_REMEDY)
    known = {field.name for field in fields(Cell)}
    values: dict[str, Any] = {key: _checked(key, value, where) for key, value in data.items() if key in known}
    return Cell(**values)


def cell_id(cell: Cell, label: str) -> str:
    """The cell's part of a run folder's name, such as ``19.6.0-py3.6-gthread-unix-h2o-wrk-local``.

    ``label`` stands for the release. At most CELL_ID_CHARS characters, all of them in ``[A-Za-z0-9._+-]``.
    """
    python = [f"py{'.'.join(cell.python.split('.')[:2])}"] if cell.python else []
    parts = [*python, cell.worker, cell.bind, cell.proxy, cell.load, cell.backend]
    tail = _restrict("".join(f"-{part}" for part in parts))[: CELL_ID_CHARS - 20]
    return _restrict(label or "unknown")[: CELL_ID_CHARS - len(tail)] + tail


_REMEDY = "Use a run folder or an attachment as the harness wrote it."


def _restrict(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._+-]", "-", text)


def _checked(key: str, value: object, where: str) -> object:
    wanted, fits = _expectation(key, value)
    if fits or (value is None and key in _OPTIONAL):
        return float(value) if key in _NUMBERS and isinstance(value, int) else value
    raise UsageError(what=f"{where}: the key {key!r} must be {wanted}, but is {_kind(value)}.", remedy=_REMEDY)


def _expectation(key: str, value: object) -> tuple[str, bool]:
    if key in _SWITCHES:
        return "true or false", isinstance(value, bool)
    if key in _COUNTS:
        return "a whole number of 0 or more", isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if key in _NUMBERS:
        return "a number of 0 or more", isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
    return "a text", isinstance(value, str)


def _kind(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, int | float):
        return f"the number {value}"[:40]
    if isinstance(value, str):
        return f"the text {value[:40]!r}"
    return "a list" if isinstance(value, list) else "an object"
