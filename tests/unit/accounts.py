"""Synthetic accounts of a run: the files that a load, a proxy, gunicorn and the app would have written."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.core.events.clients import LoadEnded, Probe, Way
from harness.core.model import Cell
from harness.engine.accounts import NOTES_FILE, Clients
from harness.engine.ledger import close_ledger
from harness.judge.ledger.load_account import PREFIX
from harness.stack.load.account import NS_PER_MARK
from tests.unit.events import fields_of

END_NS = 50_000_000_000
"""When the load ended; requests are issued from ``START_TENTH`` on."""

START_TENTH = 400


@dataclass(slots=True)
class Accounts:
    """Files under construction. Ids are given out by one thread after the other, as wrk's threads do."""

    logs: Path
    threads: int = 2
    connections: int = 4
    proxy: str = "h2o"
    closed: int = 0
    exact: bool = False  # the load says of each request how it ended, as the one on httpx does
    _issued: list[int] = field(default_factory=list)
    _client: dict[int, list[str]] = field(default_factory=dict)
    _anonymous: Counter[tuple[int, str]] = field(default_factory=Counter)
    _proxy: list[str] = field(default_factory=list)
    _gunicorn: list[str] = field(default_factory=list)
    _notes: list[str] = field(default_factory=lambda: ["worker 11"])
    _clients: Clients = field(default_factory=Clients)

    def __post_init__(self) -> None:
        self._issued = [thread - self.threads for thread in range(self.threads)]
        self._client = {thread: [f"@ {START_TENTH} {thread}"] for thread in range(self.threads)}

    def mark(self, tenth: int) -> None:
        """From here on ids are given out in this tenth of a second."""
        for thread, rows in self._client.items():
            rows.append(f"@ {tenth} {self._issued[thread] + self.threads}")

    def issue(self, thread: int) -> str:
        """A new id."""
        self._issued[thread] += self.threads
        return f"w{self._issued[thread]}"

    def answer(self, name: str, status: int = 200, *, echoed: bool = True) -> None:
        """The load was answered."""
        thread = int(name[1:]) % self.threads
        if echoed:
            self._client[thread].append(f"{name} {status}")
        else:
            self._anonymous[thread, str(status)] += 1

    def end(self, name: str, outcome: str) -> None:
        """A load that knows says how a request ended."""
        self._client[int(name[1:]) % self.threads].append(f"{name} {outcome}")

    def proxied(self, name: str, status: int | str = 200) -> None:
        """The proxy logs a request."""
        self._proxy.append(f'127.0.0.1 - - [x] "GET / HTTP/1.1" {status} 11 "-" "-" {name}')

    def noted(self, name: str, pid: int = 11) -> None:
        """The app begins to run it."""
        self._notes.append(f"{name} {pid}")

    def logged(self, name: str, status: int = 200, pid: int = 11) -> None:
        """gunicorn logs it."""
        self._gunicorn.append(f' - - [x] "GET / HTTP/1.1" {status} 11 "-" "-" {name} <{pid}>')

    def run(self, name: str, status: int = 200, pid: int = 11) -> None:
        """gunicorn runs it from beginning to end."""
        self.noted(name, pid)
        self.logged(name, status, pid)

    def serve(self, name: str) -> None:
        """All goes well."""
        self.run(name)
        if self.proxy != "none":
            self.proxied(name)
        self.answer(name)

    def probe(self, name: str, outcome: str) -> None:
        """The prober says how one of its requests ended."""
        via: Way = "direct" if name[0] == "d" else "proxy"
        self._clients.hear(Probe(at_ns=1, via=via, took_ns=1, id=name, outcome=outcome))

    def close(self, **without: bool) -> dict[str, Any]:
        """Write the files, and close the ledger; ``notes=False`` leaves the app's account out."""
        for thread, rows in self._client.items():
            self._write(f"{PREFIX}-{thread}.log", rows)
        totals = [f"issued {thread} {last}" for thread, last in enumerate(self._issued)]
        totals += [] if self.exact else [f"anonymous {thread} 200 0" for thread in self._client]
        totals += [f"anonymous {thread} {status} {count}" for (thread, status), count in self._anonymous.items()]
        self._write(f"{PREFIX}.log", totals)
        self._write("h2o.access.log", self._proxy)
        self._write("gunicorn.access.log", self._gunicorn)
        if without.get("notes", True):
            self._write(NOTES_FILE, self._notes)
        errors = {"closed": self.closed}
        ended = LoadEnded(at_ns=END_NS, requests=0, statuses={}, errors=errors, stopped_early=False, failed=None)
        self._clients.hear(ended)
        cell = Cell(spec="1.0", proxy=self.proxy, connections=self.connections)
        return fields_of(close_ledger(cell, self.logs, self._clients))

    def _write(self, name: str, rows: list[str]) -> None:
        (self.logs / name).write_text("".join(f"{row}\n" for row in rows))


def found(said: dict[str, Any]) -> dict[str, int]:
    """The counts that are not zero."""
    return {ending: count for ending, count in said["counts"].items() if count}


assert END_NS > START_TENTH * NS_PER_MARK
