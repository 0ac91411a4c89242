"""Checks that the system's limits suffice for the cell; else the errors of its processes would look like gunicorn's.

A proxy that may open no more files answers 502, and a worker that may start no more threads dies; both would count as
findings. So a limit that is too low is raised where that is possible, and is an error where it isn't.
"""

from __future__ import annotations

import os
import resource

from harness.backends.local import room
from harness.core import procfs
from harness.core.errors import SurroundingsError
from harness.core.model import Cell
from harness.stack import gunicorn

SPARE_FILES = 256
"""Open files of one process for probes, logs and pipes, in addition to the connections of the load and the upstream."""

SPARE_TASKS = 64
"""Processes and threads beside those of gunicorn and the load: a proxy's, and the watchers'."""


def require_room(cell: Cell) -> None:
    """Raise the limit of open files where it is too low for ``cell``.

    Raises:
        SurroundingsError: the system allows too few open files, processes or threads.
    """
    _allow_files(2 * cell.connections + SPARE_FILES, cell)
    # Twice the workers: while one ends, another one boots in its place.
    tasks = 2 * cell.workers * (1 + cell.threads) + cell.load_threads + SPARE_TASKS
    _require_tasks(tasks)
    room.require_tasks(tasks)
    room.require_memory(cell)


def _allow_files(needed: int, cell: Cell) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    highest = hard if hard == resource.RLIM_INFINITY else max(hard, needed)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, highest))
    except (OSError, ValueError) as problem:
        raise SurroundingsError(
            what=f"A process may open {hard} files here, and {cell.connections} connections through a proxy take up to "
            f"{needed}.",
            remedy=f"Raise the limit (ulimit -n {needed}), or ask for fewer --connections.",
        ) from problem


def _require_tasks(needed: int) -> None:
    """Root is not bound by this limit; see ``room`` for those that bind it."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    if os.geteuid() == 0 or allowed == resource.RLIM_INFINITY:
        return
    taken = procfs.count_tasks(os.getuid())
    if allowed - taken < needed:
        raise SurroundingsError(
            what=f"This user may have {allowed} processes and threads and has {taken}; the run takes up to {needed}.",
            remedy=f"Raise the limit (ulimit -u {taken + needed}), or ask for fewer --workers or --threads.",
        )


def read_queue() -> int | None:
    """How many connections can wait for a worker here; None where the kernel does not tell it."""
    most = procfs.read_number(procfs.SOMAXCONN)
    return None if most is None else min(gunicorn.BACKLOG, most)
