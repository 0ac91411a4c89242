"""The harness's end of the observer: the watchers that run in a container (``watch.remote``), as if they were here.

Orders go to the container's standard input; events come from its standard output, in the order in which they were
observed. If the container has another clock (an engine in a virtual machine), its times are converted to ours.
"""

from __future__ import annotations

import json
import queue
import struct
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from harness.core.cells import cell_to_json
from harness.core.clock import now_ns
from harness.core.errors import SurroundingsError
from harness.core.events.course import WatcherState
from harness.core.events.parsing import parse_event
from harness.core.model import Cell, Json
from harness.stack.asked import ASKED, Asked
from harness.watch.event_log import EventSink
from harness.watch.machine import Usage
from harness.watch.remote import OrderAnswer

ANSWER_S = 30.0
"""The longest order is to wait for a server's first sign of life (10 s)."""

NO_MEMORY = "The docker back end does not look at the memory of the processes."
HELLOS = 5
SAME_CLOCK_NS = 20_000_000
"""Clocks that differ by less than a slow answer takes count as one clock; those of two machines differ by hours."""

_HEAD_BYTES = 8
_STDOUT = 1


class Channel(Protocol):
    """The attached streams of a container."""

    def send(self, data: bytes) -> None:
        """Send all of the data."""

    def receive(self, size: int) -> bytes:
        """Receive at most ``size`` bytes; b"" at the end."""

    def close(self) -> None:
        """Close the connection; the container sees the end of its input."""


class ObservingClient:
    """A client in the observer; see ``backends.Client``."""

    def __init__(self, observer: Observer, address: str) -> None:
        self._observer = observer
        self._address = address

    def __enter__(self) -> ObservingClient:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def ask(self) -> str:
        """See ``backends.Client``."""
        return self._observer.ask(self._address)


class Observer:
    """See ``watch.watchers.LocalWatchers`` for its watching; ``ask``, ``exists`` and ``read_usage`` look once."""

    def __init__(self) -> None:
        self.clock_offset_ns = 0
        self._channel: Channel | None = None
        self._sink: EventSink | None = None
        self._answers: queue.Queue[Mapping[str, Any] | None] = queue.Queue()
        self._number = 0
        self._complaint = b""
        self._watching: set[str] = set()
        self._closing = False
        self._reader = threading.Thread(target=self._read, name="observer", daemon=True)

    def connect(self, channel: Channel) -> None:
        """Connect to the started container, so that orders reach it.

        Raises:
            SurroundingsError: it does not answer.
        """
        self._channel = channel
        self._reader.start()
        self._set_clock()

    def report_to(self, sink: EventSink) -> None:
        """Set the function that gets the events."""
        self._sink = sink

    def order(self, what: str, **fields: Json) -> Any:  # noqa: ANN401 - each order has an answer of its own
        """Send one order and return its answer.

        Raises:
            SurroundingsError: the observer failed or has ended.
        """
        if self._channel is None:
            raise self._explain(what, "it was never started")
        self._number += 1
        line = json.dumps({"order": what, "number": self._number, **fields}) + "\n"
        try:
            self._channel.send(line.encode())
            answer = self._answers.get(timeout=ANSWER_S)
        except (OSError, queue.Empty) as problem:
            raise self._explain(what, f"{type(problem).__name__} {problem}") from problem
        if answer is None:
            self._answers.put(None)
            raise self._explain(what, "it has ended")
        if "error" in answer:
            raise self._explain(what, str(answer["error"]))
        return answer.get("value")

    # --- watching, as LocalWatchers does it ---

    def watch_files(self, cell: Cell, *, logs: Path, socket: Path, trace: Path, site: str) -> None:
        """See ``LocalWatchers``."""
        paths = {"logs": str(logs), "socket": str(socket), "trace": str(trace), "site": site}
        self.order("watch_files", cell=cell_to_json(cell), **paths)

    def watch_arbiter(self, pid: int, *, memory: bool = False) -> None:
        """See ``LocalWatchers``. gunicorn has another user here, whose processes' memory can't be read."""
        if memory:
            raise SurroundingsError(what=NO_MEMORY, remedy="Use --backend local.")
        self.order("watch_arbiter", pid=pid)

    def meet_clients(self, proxy: int | None) -> None:
        """See ``LocalWatchers``."""
        self.order("meet_clients", proxy=proxy)

    def probe(
        self, ways: Mapping[str, str], *, ledger: bool = True, compares: bool = False, asked: Asked = ASKED
    ) -> None:
        """See ``LocalWatchers``."""
        self.order("probe", ways=dict(ways), ledger=ledger, compares=compares)

    def hurry_probes(self) -> None:
        """See ``LocalWatchers``."""
        self.order("hurry_probes")

    def pause_probes(self, way: str, pause_s: float) -> None:
        """See ``LocalWatchers``."""
        self.order("pause_probes", way=way, pause_s=pause_s)

    def stop(self) -> None:
        """See ``LocalWatchers``. If the observer has ended, its watchers were reported dead at its end."""
        if self._watching and self._reader.is_alive():
            self.order("stop")

    # --- looking once ---

    def ask(self, address: str) -> str:
        """One request; see ``prober.ask``."""
        return str(self.order("ask", address=address))

    def exists(self, path: Path) -> bool:
        """Whether there is such a file."""
        return bool(self.order("exists", path=str(path)))

    def find_pid(self, logs: Path, name: str, *, metered: bool) -> int | None:
        """The pid of a server that was just started; None where it never ran."""
        pid = self.order("find_pid", logs=str(logs), name=name, metered=metered)
        return None if pid is None else int(pid)

    def read_usage(self, trees: list[int]) -> Usage:
        """See ``machine.UsageReader``."""
        return Usage(**self.order("read_usage", trees=trees))

    def is_stopped(self, pid: int, *, with_children: bool) -> bool:
        """See ``procfs.is_one_stopped``."""
        return bool(self.order("is_stopped", pid=pid, with_children=with_children))

    def close(self) -> None:
        """End the observer, and with it all servers in its process namespace."""
        self._closing = True
        if self._channel is not None:
            with suppress(OSError):
                self._channel.close()

    # --- its events ---

    def _read(self) -> None:
        with suppress(OSError):
            rest = b""
            while head := self._receive(_HEAD_BYTES):
                stream, size = struct.unpack(">BxxxL", head)
                piece = self._receive(size)
                if stream != _STDOUT:
                    self._complaint = (self._complaint + piece)[-2000:]
                    continue
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    self._take(json.loads(line))
        self._bury()

    def _receive(self, size: int) -> bytes:
        received = b""
        while self._channel is not None and len(received) < size:
            piece = self._channel.receive(size - len(received))
            if not piece:
                return b""
            received += piece
        return received

    def _take(self, said: dict[str, Any]) -> None:
        if said["kind"] == OrderAnswer.kind:
            self._answers.put(said)
            return
        event = parse_event(said)
        if isinstance(event, WatcherState):
            (self._watching.add if event.state == "started" else self._watching.discard)(event.name)
        if self._sink is not None:
            here = self.clock_offset_ns == 0
            self._sink.emit(event if here else replace(event, at_ns=event.at_ns + self.clock_offset_ns))

    def _bury(self) -> None:
        """Report the watchers as dead, because the observer has ended."""
        if self._sink is not None and not self._closing:
            for name in sorted(self._watching):
                self._sink.emit(WatcherState(name=name, state="died", detail="the observer's container ended"))
        self._answers.put(None)

    def _set_clock(self) -> None:
        """Compare the clocks by the quickest of a few answers, which is the most exact."""
        answers = []
        for _ in range(HELLOS):
            asked_ns = now_ns()
            there_ns = int(self.order("hello"))
            took_ns = now_ns() - asked_ns
            answers.append((took_ns, asked_ns + took_ns // 2 - there_ns))
        _, offset_ns = min(answers)
        self.clock_offset_ns = offset_ns if abs(offset_ns) > SAME_CLOCK_NS else 0

    def _explain(self, order: str, why: str) -> SurroundingsError:
        said = self._complaint.decode("utf-8", "replace").strip().splitlines()
        return SurroundingsError(
            what=f"The observer's container failed ({order}): {said[-1] if said else why}.",
            remedy="See whether something else stops containers on this engine (`docker events`), and try again.",
        )
