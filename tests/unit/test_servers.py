"""What gunicorn is started with: the files and folders of its configuration."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from harness.core.model import Cell
from harness.engine.request import RunRequest
from harness.engine.scratch import ScratchFolder
from harness.engine.servers import configure_gunicorn
from harness.provision.environments import Environment
from harness.records.store import create_run


@pytest.mark.parametrize(
    ("trace", "era_shims", "folders"),
    [
        (True, (), ["trace"]),
        (False, ("imp-module",), ["era"]),
        (True, ("imp-module",), ["trace", "era"]),
        (False, (), None),
    ],
)
def test_what_python_loads_before_gunicorn(
    tmp_path: Path, *, trace: bool, era_shims: tuple[str, ...], folders: list[str] | None
) -> None:
    run = create_run(tmp_path, "run")
    cell = Cell(spec="19.6.0", trace=trace)
    environment = cast(Environment, SimpleNamespace(python=Path("python"), shims=(), era_shims=era_shims))
    request = RunRequest(cell=cell, out=tmp_path)

    command = configure_gunicorn(cell, run, ScratchFolder(base=tmp_path), environment, request, bind="127.0.0.1:1")

    path = command.env.get("PYTHONPATH")
    assert path == (folders and ":".join(str(run.config / folder) for folder in folders))
    assert (run.config / "era" / "imp_module.py").is_file() == bool(era_shims)
