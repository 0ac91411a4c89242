"""How a watcher runs: in a thread of its own that says when it starts, when it stops and when it died.

The judge never trusts silence: a watcher that did not say "stopped" at the end did not see the whole window.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from harness.core.events.course import WatcherState
from harness.watch.event_log import EventSink

JOIN_S = 5.0


class WatchThread:
    """Runs ``loop(stop)`` until ``stop`` is set; ``loop`` must look at it at least every 0.1 s, or when it is woken."""

    def __init__(
        self,
        name: str,
        loop: Callable[[threading.Event], None],
        sink: EventSink,
        wake: Callable[[], None] = lambda: None,
        *,
        join_s: float = JOIN_S,
    ) -> None:
        self.name = name
        self._loop = loop
        self._sink = sink
        self._wake = wake
        self._join_s = join_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"watch-{name}", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._sink.emit(WatcherState(name=self.name, state="started"))
        self._thread.start()

    def finish(self) -> None:
        """Ask the loop to end, without waiting for it."""
        self._stop.set()
        self._wake()

    def stop(self) -> None:
        """End the watch; whatever it still holds is emitted before this returns."""
        if self._thread.ident is None:
            return
        self.finish()
        self._thread.join(self._join_s)
        if self._thread.is_alive():
            self._die(f"did not stop within {self._join_s:g} s")

    def _die(self, detail: str) -> None:
        self._sink.emit(WatcherState(name=self.name, state="died", detail=detail))

    def _run(self) -> None:
        try:
            self._loop(self._stop)
        except Exception as problem:  # noqa: BLE001 - whatever killed a watcher is recorded, and the verdict suffers
            self._die(f"{type(problem).__name__}: {problem}")
        else:
            self._sink.emit(WatcherState(name=self.name, state="stopped"))
