"""How a run is repeated: the command line that means the same cell."""

from __future__ import annotations

from dataclasses import fields

from harness.core.model import Cell
from harness.records.stored import StoredRun
from harness.report.fields import texts
from harness.stack.gunicorn import THREADED

_PLAIN = {
    "worker": "--worker",
    "threads": "--threads",
    "workers": "--workers",
    "max_requests": "--max-requests",
    "max_requests_jitter": "--max-requests-jitter",
    "bind": "--bind",
    "proxy": "--proxy",
    "load": "--load",
    "load_threads": "--load-threads",
    "connections": "--connections",
    "rate_per_s": "--rate",
    "duration_s": "--duration",
    "recycles": "--recycles",
    "backend": "--backend",
    "app": "--app",
}


def repeat_command(cell: Cell) -> list[str]:
    """The argv of `harness reproduce` for this cell; what has its default is left out."""
    argv = ["harness", "reproduce", cell.spec]
    defaults = {one.name: one.default for one in fields(Cell)}
    for name, option in _PLAIN.items():
        value = getattr(cell, name)
        of_worker = name == "threads" and cell.worker != THREADED  # has one thread, and takes no other number
        if value is not None and value != defaults[name] and not of_worker:
            argv += [option, f"{value:g}" if isinstance(value, float) else str(value)]
    if cell.python is not None:
        argv += ["--python", ".".join(cell.python.split(".")[:2])]
    argv += ["--full-duration"] if cell.full_duration else []
    argv += [] if cell.trace else ["--no-trace"]
    argv += [] if cell.ledger else ["--no-ledger"]
    return argv


def repeat_stored(stored: StoredRun) -> list[str]:
    """The same for a stored run or scenario; a scenario has kept its own command line."""
    return texts(stored.facts, "repeat") if stored.cell.scenario is not None else repeat_command(stored.cell)
