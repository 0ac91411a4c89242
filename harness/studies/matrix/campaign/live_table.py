"""The live table on standard error during a matrix; it is not shown where that is no terminal."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from harness.core.clock import now_ns
from harness.core.model import Outcome
from harness.core.text import plural
from harness.disturb import RECYCLE
from harness.studies.matrix.campaign.runner import Watch
from harness.studies.matrix.campaign.schedule import Task
from harness.studies.matrix.expectations import describe
from harness.studies.matrix.plan import PlannedCell
from harness.studies.matrix.result import RunResult

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

SHOWN_ENDED = 12
REFRESH_S = 0.2
_STYLES = {Outcome.HOLDS: "green", Outcome.VIOLATED: "red"}


def subject(planned: PlannedCell) -> str:
    """``19.6.0 gthread h2o``."""
    cell = planned.cell
    return f"{cell.spec} {cell.worker} {cell.proxy}" + ("" if cell.disturb == RECYCLE else f" {cell.disturb}")


@contextmanager
def watching(*, quiet: bool) -> Iterator[Watch]:
    """What shows the progress: a line on standard output for each ended run (not if ``quiet``), and the live table."""
    if not sys.stderr.isatty():
        yield Watch(told=_ignore if quiet else _tell, tick=_stand_still)
        return
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(stderr=True), auto_refresh=False, transient=True) as live:
        table = _LiveTable(live, quiet=quiet or sys.stdout.isatty())
        yield Watch(told=table.told, tick=table.tick)


def _tell(planned: PlannedCell, result: RunResult) -> None:
    said = describe(result.outcome, result.findings)
    print(f"{subject(planned)}: {said}" + (f": {result.detail}" if result.detail else ""), flush=True)


def _ignore(_planned: PlannedCell, _result: RunResult) -> None:
    """Print nothing, because only JSON goes to standard output."""


def _stand_still(_running: Sequence[Task], _waiting: int) -> None:
    """Show no table, because there is no terminal."""


class _LiveTable:
    """Shows what runs now and for how long, what ended last, and how many runs are left."""

    def __init__(self, live: Live, *, quiet: bool) -> None:
        self._live, self._quiet = live, quiet
        self._ended: list[tuple[PlannedCell, RunResult]] = []
        self._since_ns: dict[Task, int] = {}
        self._shown_s = 0.0

    def told(self, planned: PlannedCell, result: RunResult) -> None:
        """See ``runner.Watch``. On a terminal the table at the end says it all again."""
        self._ended.append((planned, result))
        if not self._quiet:
            _tell(planned, result)

    def tick(self, running: Sequence[Task], waiting: int) -> None:
        """See ``runner.Watch``."""
        self._since_ns = {task: self._since_ns.get(task, now_ns()) for task in running}
        if time.monotonic() - self._shown_s >= REFRESH_S:
            self._shown_s = time.monotonic()
            self._live.update(self._render(waiting), refresh=True)

    def _render(self, waiting: int) -> Table:
        from rich.table import Table
        from rich.text import Text

        colour = not os.environ.get("NO_COLOR")
        table = Table("cell", "verdict", title=f"{plural(len(self._ended), 'run')} done, {waiting} to come", box=None)
        for planned, result in self._ended[-SHOWN_ENDED:]:
            style = _STYLES.get(result.outcome, "yellow") if colour else ""
            table.add_row(Text(subject(planned)), Text(describe(result.outcome, result.findings), style=style))
        for task, since_ns in self._since_ns.items():
            table.add_row(Text(subject(task.planned)), Text(f"running for {(now_ns() - since_ns) / 1e9:.0f} s"))
        return table
