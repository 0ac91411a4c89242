"""Turns a cell into JSON (``cell.json``, and ``cell`` in ``verdict.json``), a name and options, and JSON into a cell.

The functions are pure. A cell may come from another machine, so its types are checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from harness.core.cell_fields import CELL_FIELDS, Cell
from harness.core.errors import UsageError
from harness.core.field_kinds import CellField, Kind
from harness.core.model import Json

CELL_ID_CHARS = 100

CONTRACT_KEYS = tuple(
    row.name for row in sorted(CELL_FIELDS.values(), key=lambda row: row.contract or 0) if row.contract is not None
)
"""The keys of a cell that the contract names, in its order."""


def cell_to_json(cell: Cell) -> dict[str, Json]:
    """All fields of the cell, the contract's keys first; unknown versions are null; ``scenario`` only if set."""
    values: dict[str, Json] = asdict(cell)
    if cell.scenario is None:
        del values["scenario"]
    ordered = {key: values.pop(key) for key in CONTRACT_KEYS}
    return ordered | values


def cell_from_json(data: object, *, where: str) -> Cell:
    """The cell that ``data`` describes; unknown keys are left out, missing ones have the report's default.

    Raises:
        UsageError: not an object, no ``spec``, or a value of a wrong type. The error names ``where`` and the key.
    """
    if not isinstance(data, Mapping):
        raise UsageError(what=f"{where} holds {_kind(data)}, not an object.", remedy=_REMEDY)
    if "spec" not in data:
        raise UsageError(what=f"{where} has no key 'spec': it does not say which release was tested.", remedy=_REMEDY)
    values: dict[str, Any] = {key: _checked(key, value, where) for key, value in data.items() if key in CELL_FIELDS}
    return Cell(**values)


def cell_id(cell: Cell, label: str) -> str:
    """The cell's part of a run folder's name, such as ``19.6.0-py3.6-gthread-unix-h2o-wrk-local``.

    ``label`` stands for the release. At most CELL_ID_CHARS characters, all of them in ``[A-Za-z0-9._+-]``.
    """
    python = [f"py{'.'.join(cell.python.split('.')[:2])}"] if cell.python else []
    parts = [*python, cell.worker, cell.bind, cell.proxy, cell.load, cell.backend]
    tail = _restrict("".join(f"-{part}" for part in parts))[: CELL_ID_CHARS - 20]
    return _restrict(label or "unknown")[: CELL_ID_CHARS - len(tail)] + tail


def write_options(cell: Cell) -> Iterator[tuple[CellField, str | None]]:
    """Each field that has a flag and a value, with the value as it is written after the flag on a command line.

    A switch has no such text, and is left out where it has its default.
    """
    for row in CELL_FIELDS.values():
        value = getattr(cell, row.name)
        if row.flag is not None and value is not None and (row.kind is not Kind.SWITCH or value != row.default):
            yield row, None if row.kind is Kind.SWITCH else write_value(value)


def write_value(value: object) -> str:
    """A value as text; a whole number has no decimal point."""
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


_REMEDY = "Use a run folder or an attachment as the harness wrote it."


def _restrict(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._+-]", "-", text)


def _checked(key: str, value: object, where: str) -> object:
    row = CELL_FIELDS[key]
    wanted, types = _EXPECTED[row.kind]
    fits = isinstance(value, types) and isinstance(value, bool) == (row.kind is Kind.SWITCH)
    if (value is None and row.optional) or (fits and (not isinstance(value, int | float) or value >= 0)):
        return float(value) if row.kind is Kind.SECONDS and isinstance(value, int) else value
    raise UsageError(what=f"{where}: the key {key!r} must be {wanted}, but is {_kind(value)}.", remedy=_REMEDY)


_EXPECTED: Mapping[Kind, tuple[str, type | tuple[type, ...]]] = {
    Kind.TEXT: ("a text", str),
    Kind.COUNT: ("a whole number of 0 or more", int),
    Kind.SECONDS: ("a number of 0 or more", (int, float)),
    Kind.SWITCH: ("true or false", bool),
}


def _kind(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, int | float):
        return f"the number {value}"[:40]
    if isinstance(value, str):
        return f"the text {value[:40]!r}"
    return "a list" if isinstance(value, list) else "an object"
