"""Requests that belong to a disturbance, in threads of their own.

One that the app takes long for, and those that ask a path to which gunicorn was told to move.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from harness.core.clock import now_ns
from harness.core.events.probing import HarnessAsked, PathMoved
from harness.core.model import is_success
from harness.stack.asked import Asked
from harness.watch.event_log import EventSink
from harness.watch.prober import open_client

HANG_HEADER = "X-Recycle-Harness-Hang"
"""See ``fixtures/hanging.py``."""

ANSWER_S = 20.0
"""For so long the answer is awaited once the app is through: the worker may still be restarted."""

ASK_S, ASK_WITHIN_S = 0.02, 2.0


class SlowRequest:
    """See ``disturb.course.OwnRequest``. ``told``: the file in which the app names the worker that has the request."""

    def __init__(self, address: str, asked: Asked, *, hang_s: float, told: Path, sink: EventSink) -> None:
        self._address, self._hang_s, self._told, self._sink = address, hang_s, told, sink
        self._asked = replace(asked, headers=(*asked.headers, (HANG_HEADER, f"{hang_s:g}")))
        self._outcome: str | None = None
        self._known_bytes = told.stat().st_size if told.exists() else 0
        threading.Thread(target=self._ask, name="slow-request", daemon=True).start()

    def is_over(self) -> bool:
        """See ``disturb.course.OwnRequest``."""
        return self._outcome is not None

    def is_taken(self) -> bool:
        """See ``disturb.course.OwnRequest``."""
        return self._read_worker() is not None

    def is_answered(self) -> bool:
        """See ``disturb.course.OwnRequest``."""
        return self._outcome is not None and (is_success(self._outcome) or self._outcome == self._asked.status)

    def _ask(self) -> None:
        began_ns = now_ns()
        with open_client(self._address, self._hang_s + ANSWER_S, self._asked) as client:
            outcome = client.ask()
        took_ns = now_ns() - began_ns
        worker = self._read_worker()
        self._sink.emit(
            HarnessAsked(at_ns=began_ns, hang_s=self._hang_s, outcome=outcome, took_ns=took_ns, worker=worker)
        )
        self._outcome = outcome

    def _read_worker(self) -> int | None:
        if not self._told.exists():
            return None
        lines = self._told.read_bytes()[self._known_bytes :].split()
        return int(lines[0]) if lines else None


class WatchedMove:
    """See ``disturb.course.Move``. ``is_closed``: whether the window is over, after which nobody may be asked."""

    def __init__(
        self, old: Path, new: Path, asked: Asked, *, back: bool, sink: EventSink, is_closed: Callable[[], bool]
    ) -> None:
        import inotify_simple

        self._old, self._new, self._asked, self._back, self._sink = old, new, asked, back, sink
        self._is_closed = is_closed
        self._flags = inotify_simple.flags
        self._inotify = inotify_simple.INotify()
        self._inotify.add_watch(new.parent, self._flags.CREATE | self._flags.DELETE)
        self._told_ns = now_ns()
        self._bound_ns: int | None = None
        self._gone_ns: int | None = None
        self._answered_ns: int | None = None
        self._sent, self._failed = 0, Counter[str]()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="moved-path", daemon=True)
        self._thread.start()

    def is_answered(self) -> bool:
        """See ``disturb.course.Move``."""
        return self._answered_ns is not None

    def is_old_gone(self) -> bool:
        """See ``disturb.course.Move``."""
        return not os.path.lexists(self._old)

    def end(self) -> None:
        """See ``disturb.course.Move``."""
        self._over.set()
        self._thread.join(timeout=ASK_WITHIN_S)
        event = PathMoved(
            told_ns=self._told_ns,
            back=self._back,
            bound_ns=self._bound_ns,
            gone_ns=(self._gone_ns or now_ns() - self._told_ns) if self.is_old_gone() else None,
            answered_ns=self._answered_ns,
            asked=self._sent,
            failed=dict(self._failed),
        )
        self._sink.emit(event)

    def _follow(self) -> None:
        with self._inotify, open_client(f"unix:{self._new}", ASK_WITHIN_S, self._asked) as client:
            while not self._over.is_set() and not self._is_closed():
                self._read()
                outcome, at_ns = client.ask(), now_ns()
                if is_success(outcome) or outcome == self._asked.status:
                    self._answered_ns = self._answered_ns or at_ns - self._told_ns
                elif self._answered_ns is not None:
                    self._failed[outcome] += 1
                self._sent += self._answered_ns is not None
                time.sleep(ASK_S)
            self._read()

    def _read(self) -> None:
        """What came and what went, in the kernel's order, which tells what was first however close they are."""
        for event in self._inotify.read(timeout=0):
            since_ns = now_ns() - self._told_ns
            if event.name == self._new.name and event.mask & self._flags.CREATE:
                self._bound_ns = self._bound_ns or since_ns
            elif event.name == self._old.name and event.mask & self._flags.DELETE:
                self._gone_ns = self._gone_ns or since_ns
