"""Renderings of a whole matrix: one small module a format, one row in the table below; and finding a stored one.

They read ``matrix.json`` alone, so that a table can be rendered anywhere, without the records behind it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from harness.core.errors import UsageError
from harness.records.stored import read_object
from harness.studies.matrix.document import FILE, Matrix, matrix_from_json, matrix_to_json
from harness.studies.matrix.report.as_html import render_html
from harness.studies.matrix.report.as_junit import render_junit
from harness.studies.matrix.report.as_markdown import render_markdown


def render_json(matrix: Matrix) -> str:
    """``matrix.json``."""
    return json.dumps(matrix_to_json(matrix), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


FORMATS: Mapping[str, Callable[[Matrix], str]] = {
    "md": render_markdown,
    "html": render_html,
    "json": render_json,
    "junit": render_junit,
}
"""By the name of ``--format``."""

FILES: Mapping[str, str] = {"md": "matrix.md", "junit": "matrix.xml"}
"""What a rendering is called where it is written as a file; the JSON is the matrix itself.

The page is missing here: it links what lies beside it, so ``campaign.site`` writes it.
"""


def is_matrix(path: Path) -> bool:
    """Whether ``path`` is meant as a matrix: a folder with a matrix.json, or a JSON file that is no verdict."""
    return (path / FILE).is_file() or (path.is_file() and path.suffix == ".json" and path.name != "verdict.json")


def load_matrix(path: Path) -> Matrix:
    """The matrix at ``path``, a folder or a JSON file.

    Raises:
        UsageError: it is none, or damaged.
    """
    file = path / FILE if path.is_dir() else path
    data = read_object(file)
    if data is None:
        raise UsageError(what=f"{file} does not exist.", remedy="Name a folder in which `harness matrix` has finished.")
    return matrix_from_json(data, where=str(file))
