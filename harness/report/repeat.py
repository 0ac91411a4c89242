"""How a run is repeated: the command line that means the same cell."""

from __future__ import annotations

from harness.core.cells import write_options
from harness.core.model import Cell
from harness.disturb import list_turns
from harness.records.stored import StoredRun
from harness.report.fields import texts
from harness.stack.workers import find_worker

_OF_THIS_MACHINE = {"port"}
"""Left out, because another machine may not have it free, and any other port works too."""


_FITTED = ("max_requests", "duration_s", "timeout")
"""Told even where they have their defaults: a cell with disturbances has other ones."""


def repeat_command(cell: Cell) -> list[str]:
    """The argv of `harness reproduce` for this cell; what has its default is left out."""
    left_out = _OF_THIS_MACHINE if find_worker(cell.worker).has_threads else {*_OF_THIS_MACHINE, "threads"}
    told = _FITTED if list_turns(cell) else ()
    argv, switches = ["harness", "reproduce", cell.spec], []
    for row, text in write_options(cell):
        if text is None:
            switches.append(str(row.flag))
        elif row.name in told or (getattr(cell, row.name) != row.default and row.name not in left_out):
            argv += [str(row.flag), text]
    if cell.python is not None:
        argv += ["--python", ".".join(cell.python.split(".")[:2])]
    return argv + switches


def repeat_stored(stored: StoredRun) -> list[str]:
    """The same for a stored run or scenario; scenarios and runs with a user's own settings have kept their own."""
    kept = texts(stored.facts, "repeat")
    return kept if kept or stored.cell.scenario is not None else repeat_command(stored.cell)
