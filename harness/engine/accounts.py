"""What the ledger of a run needs while it goes on: the files and the clients' events that it is closed from.

``ledger`` closes it, after the load; this module is needed before gunicorn starts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.core.clock import wait_until
from harness.core.events.base import Event
from harness.core.events.clients import LoadEnded, Probe
from harness.core.model import Cell, is_success
from harness.watch.follow import read_tail

NOTES_FILE = "ledger.notes.log"
"""The app's account, below ``logs``."""

LAST_PROBES = 5
LAST_LINES_S = 0.3


@dataclass(slots=True)
class Clients:
    """Collects the clients' events during the run: how each probe ended, and the load as a whole."""

    probes: dict[str, dict[int, str]] = field(default_factory=lambda: {"p": {}, "d": {}})
    load: LoadEnded | None = None

    def hear(self, event: Event) -> None:
        """Take one event into account; a listener of the sink."""
        if isinstance(event, Probe) and event.id is not None:
            self.probes[event.id[0]][int(event.id[1:])] = event.outcome
        elif isinstance(event, LoadEnded):
            self.load = event


def _is_here(path: Path) -> None:
    """A log that is written where it is read need not be fetched."""


def await_last_lines(cell: Cell, logs: Path, clients: Clients, *, fetch: Callable[[Path], None] = _is_here) -> None:
    """Give the servers time to log the last probes: they log a request after its answer, and will be stopped next.

    The wait is bounded by LAST_LINES_S; a line that is still missing is found when the ledger is closed. ``fetch``
    copies a log from where the servers live.
    """
    direct, proxied = _last_answered(clients.probes["d"]), _last_answered(clients.probes["p"])
    wanted = {logs / "gunicorn.access.log": [f" d{number} " for number in direct]}
    if cell.proxy != "none":
        wanted[logs / f"{cell.proxy}.access.log"] = [f" p{number}\n" for number in proxied]

    def is_written() -> bool:
        for path in wanted:
            fetch(path)
        return all(name in tail for path, names in wanted.items() for tail in [read_tail(path)] for name in names)

    wait_until(is_written, timeout_s=LAST_LINES_S, alive=lambda: True)


def _last_answered(probes: Mapping[int, str]) -> list[int]:
    """The few probes that may have been answered just now; a proxy's own 502 is logged like any other answer."""
    return [number for number in sorted(probes)[-LAST_PROBES:] if is_success(probes[number])]
