"""A limit that is too low is raised, or an error: the servers' failures under it would be taken for gunicorn's."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from harness.backends.local.limits import read_queue, require_room
from harness.core import procfs
from harness.core.errors import SurroundingsError
from harness.core.model import Cell

Limits = dict[int, tuple[int, int]]
CELL = Cell(spec="19.6.0", connections=200)
ENDLESS = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> Limits:
    """The limits that the system is said to have; nobody may raise a hard one."""
    now: Limits = {resource.RLIMIT_NOFILE: ENDLESS, resource.RLIMIT_NPROC: ENDLESS}

    def setrlimit(which: int, wanted: tuple[int, int]) -> None:
        if wanted[1] > now[which][1] != resource.RLIM_INFINITY:
            raise ValueError("not allowed to raise maximum limit")
        now[which] = wanted

    monkeypatch.setattr(resource, "getrlimit", lambda which: now[which])
    monkeypatch.setattr(resource, "setrlimit", setrlimit)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    return now


@pytest.mark.parametrize("enough", [ENDLESS, (1024, 4096), (1024, 1024)])
def test_what_is_enough_is_left_alone(limits: Limits, enough: tuple[int, int]) -> None:
    limits[resource.RLIMIT_NOFILE] = enough
    require_room(CELL)
    assert limits[resource.RLIMIT_NOFILE] == enough


@pytest.mark.parametrize("hard", [4096, resource.RLIM_INFINITY])
def test_too_few_files_become_enough(limits: Limits, hard: int) -> None:
    limits[resource.RLIMIT_NOFILE] = (256, hard)
    require_room(CELL)
    soft, after = limits[resource.RLIMIT_NOFILE]
    assert (soft >= 2 * CELL.connections, after) == (True, hard)


def test_too_few_files_that_cannot_become_more(limits: Limits) -> None:
    limits[resource.RLIMIT_NOFILE] = (256, 256)
    with pytest.raises(SurroundingsError, match="may open 256 files") as caught:
        require_room(CELL)
    assert "ulimit -n 656" in caught.value.remedy


def test_too_few_processes(limits: Limits, monkeypatch: pytest.MonkeyPatch) -> None:
    limits[resource.RLIMIT_NPROC] = (40, 40)
    with pytest.raises(SurroundingsError, match="may have 40 processes and threads"):
        require_room(CELL)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    require_room(CELL)


@pytest.mark.parametrize(("said", "queue"), [("128\n", 128), ("4096\n", 2048), ("", None), (None, None)])
def test_how_many_connections_may_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str | None, queue: int | None
) -> None:
    file = tmp_path / "somaxconn"
    if said is not None:
        file.write_text(said)
    monkeypatch.setattr(procfs, "SOMAXCONN", file)
    assert read_queue() == queue
