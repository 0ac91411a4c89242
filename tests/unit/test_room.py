"""What binds root, too, is an error before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.backends.local import room
from harness.core import procfs
from harness.core.errors import SurroundingsError
from harness.core.model import Cell

CELL = Cell(spec="19.6.0", workers=200)
HUGE = 1 << 50


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with room for anything; a test writes what binds into its files."""
    monkeypatch.setattr(procfs, "PROC", tmp_path / "proc")
    monkeypatch.setattr(room, "CONTROL_GROUPS", tmp_path / "groups")
    (tmp_path / "proc/sys/kernel").mkdir(parents=True)
    (tmp_path / "proc/self").mkdir()
    (tmp_path / "groups/a/b").mkdir(parents=True)
    (tmp_path / "proc/loadavg").write_text("0.5 0.4 0.3 2/300 4711\n")
    (tmp_path / "proc/meminfo").write_text(f"MemAvailable: {HUGE >> 10} kB\n")
    (tmp_path / "proc/self/cgroup").write_text("0::/a/b\n")
    return tmp_path


def test_there_is_room(machine: Path) -> None:
    (machine / "proc/sys/kernel/pid_max").write_text("4194304\n")
    (machine / "groups/a/pids.max").write_text("max\n")
    (machine / "groups/a/pids.current").write_text("3\n")
    room.require_tasks(2400)
    room.require_memory(CELL)


@pytest.mark.parametrize("name", ["pid_max", "threads-max"])
def test_the_kernel_allows_too_few(machine: Path, name: str) -> None:
    (machine / "proc/sys/kernel" / name).write_text("2699\n")
    room.require_tasks(2399)
    with pytest.raises(SurroundingsError, match=rf"kernel.{name}\) allows 2,699 .* 300 are taken; .* 2,400") as caught:
        room.require_tasks(2400)
    assert "fewer --workers" in caught.value.remedy


@pytest.mark.parametrize(
    ("line", "folder"),
    [("0::/a/b", "a"), ("0::/a/b", "a/b"), ("0::/a/b", ""), ("9:pids:/a/b", "pids/a"), ("9:cpu,pids:/", "pids")],
)
def test_a_control_group_allows_too_few(machine: Path, line: str, folder: str) -> None:
    (machine / "proc/self/cgroup").write_text(f"3:freezer:/\n{line}\n")
    group = machine / "groups" / folder
    group.mkdir(parents=True, exist_ok=True)
    (group / "pids.max").write_text("100\n")
    (group / "pids.current").write_text("40\n")
    room.require_tasks(60)
    with pytest.raises(SurroundingsError, match=r"control group .* allows 100 .* 40 are taken"):
        room.require_tasks(61)


@pytest.mark.parametrize("worker", ["sync", "gthread", "gevent", "asgi"])
def test_the_memory_of_the_machine_is_too_small(machine: Path, worker: str) -> None:
    kib = (room.SPARE_BYTES + 100 * room.worker_bytes(Cell(spec="1", worker=worker))) >> 10
    (machine / "proc/meminfo").write_text(f"MemAvailable: {kib} kB\n")
    room.require_memory(Cell(spec="1", worker=worker, workers=100))
    with pytest.raises(SurroundingsError, match=r"101 workers take .* MiB") as caught:
        room.require_memory(Cell(spec="1", worker=worker, workers=101))
    assert "at most --workers 100" in caught.value.remedy


@pytest.mark.parametrize(
    ("line", "folder", "names"),
    [
        ("0::/a", "a", ("memory.max", "memory.current")),
        ("4:memory:/a", "memory/a", ("memory.limit_in_bytes", "memory.usage_in_bytes")),
    ],
)
def test_what_a_control_group_has_cached_can_be_had_back(
    machine: Path, line: str, folder: str, names: tuple[str, str]
) -> None:
    (machine / "proc/self/cgroup").write_text(line + "\n")
    group = machine / "groups" / folder
    group.mkdir(parents=True, exist_ok=True)
    for name in names:
        (group / name).write_text(f"{1 << 30}\n")
    with pytest.raises(SurroundingsError, match="leaves 0 MiB"):
        room.require_memory(Cell(spec="1", workers=1))
    (group / "memory.stat").write_text(f"anon 5\ninactive_file {1 << 29}\n")
    room.require_memory(Cell(spec="1", workers=1))
