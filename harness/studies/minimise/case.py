"""A case: the cell, and of the user's own settings and packages what is left. And the run that it stands for."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from harness.core.cells import write_value
from harness.core.frozen import dataclass
from harness.core.model import Cell
from harness.engine.request import OwnSettings, RunRequest
from harness.stack.own_settings.reading import FIELDS

FOLDER = "settings"
GIVEN = frozenset({*FIELDS.values(), "app", "bind"})
"""Where there are own settings, the cell has these, as they were read from them; they are no longer the file's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """``statements``: what is left of the user's settings file; ``packages``: what is installed beside gunicorn."""

    cell: Cell
    statements: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()


def make_run(case: Case, request: RunRequest, folder: Path) -> RunRequest:
    """The run of a case; its settings file is written where it is not there yet."""
    own = None
    if case.statements:
        own = OwnSettings(said=str(write_settings(case.statements, folder)), given=GIVEN)
    project = case.packages if own is not None or case.packages else None
    return replace(request, cell=case.cell, own=own, project=project, load_named=True)


def write_settings(statements: tuple[str, ...], folder: Path) -> Path:
    """A settings file with these statements, under a name that only these have."""
    text = "\n".join(statements) + "\n"
    name = hashlib.sha256(text.encode()).hexdigest()[:12]
    file = folder / FOLDER / f"{name}.py"
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        file.write_text(text, encoding="utf-8")
    return file


def change_cell(case: Case, **values: object) -> Case:
    """The case with other values of its cell."""
    return replace(case, cell=replace(case.cell, **values))  # type: ignore[arg-type]


def write_field(cell: Cell, name: str) -> str:
    """A value of the cell as text."""
    value = getattr(cell, name)
    return "none" if value is None else write_value(value)
