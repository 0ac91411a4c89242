"""How many processes, threads and workers' memory this machine has left, whoever asks: root is bound by these, too.

A kernel or a control group that has no more to give refuses a fork or kills a worker, and both would look like faults
of gunicorn's.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.core import procfs
from harness.core.errors import SurroundingsError
from harness.core.frozen import dataclass
from harness.core.model import Cell
from harness.stack.workers import find_worker

CONTROL_GROUPS = Path("/sys/fs/cgroup")

BOUNDED_WORKER_BYTES = 9 << 20
"""The private pages of a sync or thread worker: 4.9 to 8.4 MiB (``smaps_rollup``) after a few requests to the app under
test; 19.6.0, 20.1.0 and 23.0.0 on Python 3.6 to 3.13, three workers each."""

OTHER_WORKER_BYTES = 15 << 20
"""The same of a gevent worker: 12.0 to 14.1 MiB (20.1.0 on Python 3.6, 27.0.1 on 3.10). The other classes were not
measured and are taken to need as much. A user's own app may need more than any of these."""

SPARE_BYTES = 64 << 20
"""For the arbiter, the proxy, the load and the watchers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What somebody allows, how much of that is taken, and who allows it."""

    name: str
    allowed: int
    taken: int


def require_tasks(needed: int) -> None:
    """SurroundingsError where the kernel or a control group does not allow ``needed`` more processes and threads."""
    for bound in list_task_bounds():
        if bound.allowed - bound.taken < needed:
            raise SurroundingsError(
                what=f"{bound.name} allows {bound.allowed:,} processes and threads, and {bound.taken:,} are taken; "
                f"the run takes up to {needed:,}.",
                remedy=f"Ask for fewer --workers or --threads, or raise it to {bound.taken + needed:,} or more.",
            )


def require_memory(cell: Cell) -> None:
    """SurroundingsError where the workers would not fit into the memory that is left."""
    each = worker_bytes(cell)
    needed = cell.workers * each + SPARE_BYTES
    for bound in list_memory_bounds():
        left = bound.allowed - bound.taken
        if left < needed:
            most = max(0, left - SPARE_BYTES) // each
            raise SurroundingsError(
                what=f"{cell.workers:,} workers take {needed >> 20:,} MiB ({each >> 20} MiB each), but "
                f"{bound.name} leaves {left >> 20:,} MiB.",
                remedy=f"Ask for at most --workers {most}, or free some memory." if most else "Free some memory.",
            )


def worker_bytes(cell: Cell) -> int:
    """The memory to reckon with for each worker of a cell."""
    return BOUNDED_WORKER_BYTES if find_worker(cell.worker).bounded else OTHER_WORKER_BYTES


def list_task_bounds() -> Iterator[Allowance]:
    """Of processes and threads: the kernel's two, and those of all control groups above this process."""
    tasks = procfs.count_all_tasks()
    for name in ("threads-max", "pid_max"):
        allowed = procfs.read_number(procfs.PROC / "sys/kernel" / name)
        if allowed is not None:
            yield Allowance(name=f"The kernel (kernel.{name})", allowed=allowed, taken=tasks)
    yield from _list_group_bounds("pids", ("pids.max", "pids.current"))


def list_memory_bounds() -> Iterator[Allowance]:
    """In bytes: what is available here, and those of all control groups above this process."""
    available = procfs.available_bytes()
    yield Allowance(name="this machine", allowed=available, taken=0)
    yield from _list_group_bounds("memory", ("memory.max", "memory.current"))
    yield from _list_group_bounds("memory", ("memory.limit_in_bytes", "memory.usage_in_bytes"))


def _list_group_bounds(controller: str, files: tuple[str, str]) -> Iterator[Allowance]:
    """A limit that is ``max`` is none. The pages of files that a group has cached can be had back."""
    for group in _list_groups(controller):
        allowed, taken = (procfs.read_number(group / file) for file in files)
        if allowed is not None and taken is not None:
            cached = _read_cached(group) if controller == "memory" else 0
            yield Allowance(name=f"the control group {group}", allowed=allowed, taken=max(0, taken - cached))


def _list_groups(controller: str) -> Iterator[Path]:
    """This process's group of a controller and all above it: one tree (version 2), or one of its own (version 1)."""
    for line in procfs.read_control_groups():
        _, names, path = line.split(":", 2)
        if not names or controller in names.split(","):
            root = CONTROL_GROUPS / controller if names else CONTROL_GROUPS
            group = root / path.lstrip("/")
            yield from (folder for folder in (group, *group.parents) if folder.is_relative_to(root))


def _read_cached(group: Path) -> int:
    """The pages of files in a group's memory that nobody has used lately, in bytes."""
    try:
        rows = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return 0
    return int(rows.get("inactive_file", "0"))
