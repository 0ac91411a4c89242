"""Why gunicorn did not start: what its own user was refused is never laid to the release."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.core.errors import SurroundingsError, UnrunnableError
from harness.core.model import Cell
from harness.core.users import OtherUser, RunsAs
from harness.engine.diagnosis import explain_death

LIBRARY = "python: error while loading shared libraries: libpython3.10.so.1.0: cannot open shared object file\n"
ENCODINGS = "Fatal Python error: init_fs_encoding\nModuleNotFoundError: No module named 'encodings'\n"
CLOSED = "PermissionError: [Errno 13] Permission denied: '/srv/app'\n"
OTHER = RunsAs(uid=60_800, why="the harness is root", other=OtherUser(uid=60_800))


def stack_of(folder: Path, said: str, user: RunsAs | None) -> Any:  # noqa: ANN401 - plays a stack that can't be started
    (folder / "gunicorn.error.log").write_text(said)
    return SimpleNamespace(
        logs=folder,
        cell=Cell(spec="23.0.0", gunicorn="23.0.0"),
        environment=SimpleNamespace(python_version="3.10.13"),
        backend=SimpleNamespace(fetch=lambda _path: None),
        gunicorn=SimpleNamespace(poll=lambda: 127),
        command=SimpleNamespace(user=user),
        timings=SimpleNamespace(boot_s=20.0),
    )


@pytest.mark.parametrize("said", [LIBRARY, ENCODINGS, CLOSED])
def test_what_its_user_is_refused_is_a_fault_of_the_surroundings(tmp_path: Path, said: str) -> None:
    error = explain_death(stack_of(tmp_path, said, OTHER), workers_die=False)
    assert isinstance(error, SurroundingsError)
    assert "--as-root" in str(error.remedy)


@pytest.mark.parametrize("user", [None, RunsAs(uid=0, why="--as-root was given")])
def test_where_it_has_the_rights_of_the_harness_nothing_was_refused(tmp_path: Path, user: RunsAs | None) -> None:
    error = explain_death(stack_of(tmp_path, CLOSED, user), workers_die=False)
    assert isinstance(error, UnrunnableError)
    assert "status 127" in error.what
