"""What the case at the beginning is: the cell as the first run had it, and the user's settings taken apart.

What the cell can say (worker class, workers, ...) is taken from the settings once; of the rest each statement of the
file can be left out alone.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.core.cells import cell_from_json
from harness.core.errors import SurroundingsError
from harness.engine.request import RunRequest
from harness.engine.settings_reading import read_said
from harness.stack.own_settings.reading import FIELDS
from harness.studies.minimise.case import Case

AS_SET = "as in "
"""How the facts begin the reason of a setting that the run takes over."""


def read_start(request: RunRequest, record: str | None) -> Case:
    """The case of a request, the settings of which its first run has read.

    Raises:
        SurroundingsError: the record of that run can't be read.
    """
    packages = request.project or ()
    if request.own is None:
        return Case(cell=request.cell, packages=packages)
    if record is None:
        raise SurroundingsError(what="The first run left no record, so what the settings say is not known.")
    try:
        told = json.loads((Path(record) / "cell.json").read_bytes())
        facts = json.loads((Path(record) / "facts.json").read_bytes())
    except (OSError, ValueError) as problem:
        raise SurroundingsError(what=f"The record of the first run can't be read: {problem}.") from problem
    ran = cell_from_json(told, where="cell.json")
    values: dict[str, Any] = {name: getattr(ran, name) for name in (*FIELDS.values(), "app", "bind")}
    text = read_said(request.own.said, Path.cwd()).text
    statements = split_statements(text) if text else _list_assignments(facts)
    kept = tuple(one for one in statements if not _is_of_the_cell(one))
    return Case(cell=replace(request.cell, **values), statements=kept, packages=packages)


def split_statements(text: str) -> tuple[str, ...]:
    """The statements of a Python file at its top level, without those that only say something (docstrings)."""
    lines = text.splitlines()
    found = []
    for node in ast.parse(text).body:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", []))])
        found.append("\n".join(lines[first - 1 : node.end_lineno]))
    return tuple(dict.fromkeys(found))


def _is_of_the_cell(statement: str) -> bool:
    """Whether it only sets what the cell has (``workers = 4``)."""
    (node,) = ast.parse(statement).body
    names = {"bind", "wsgi_app", *FIELDS}
    if not isinstance(node, ast.Assign) or not all(isinstance(one, ast.Name) for one in node.targets):
        return False
    return isinstance(node.value, ast.Constant) and {ast.unparse(one) for one in node.targets} <= names


def _list_assignments(facts: Mapping[str, Any]) -> tuple[str, ...]:
    """What a command line or a module sets, from the table in the facts."""
    rows = facts.get("settings") or []
    names = {"bind", "app", *FIELDS}
    return tuple(
        f"{row['setting']} = {row['yours']}"
        for row in rows
        if str(row["why"]).startswith(AS_SET) and row["setting"] not in names and row["yours"] != "your function"
    )
