"""What the plugin makes of a project's gunicorn settings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness.core.model import Cell
from harness.pytest_plugin.options import check_request, name_own


def test_what_the_cell_has_otherwise_than_by_default_wins_over_the_settings() -> None:
    cell = replace(Cell(spec="23.0.0"), workers=2, max_requests=64)
    own = name_own(cell, Path("conf/gunicorn.py"))
    assert own is not None
    assert own.said == "conf/gunicorn.py"
    assert {"workers", "max_requests"} <= own.given
    assert not {"threads", "worker", "timeout", "bind"} & own.given
    assert name_own(cell, None) is None


def test_a_field_that_nobody_chose_is_no_unknown_value(tmp_path: Path) -> None:
    check_request(Cell(spec="23.0.0"), settings=None, app_folder=tmp_path)
