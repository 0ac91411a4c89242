"""Turns what the servers write into events: log lines with arrival times, tallies of the access logs, the trace.

Access logs are tallied in pieces as they grow and never kept: a run may write a million lines.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

from harness.core.events.bound_path import TracedCall
from harness.core.events.doings import AppFault, ChildEnded, FileClosed, SignalReceived, SignalSent, TracedExit
from harness.core.events.parsing import parse_event
from harness.core.events.servers import (
    GunicornLine,
    Proxied,
    ProxyErrors,
    Served,
    TracedRemoval,
    TracerLoaded,
    TracerProblem,
)
from harness.stack import gunicorn
from harness.stack.proxies import Proxy
from harness.watch.event_log import EventSink
from harness.watch.follow import Handler

MAX_LINES = 5000
"""Log lines kept as events in one run; the log files themselves stay whole."""

MAX_TEXT = 2000


_Stacked = TracedRemoval | TracedCall | SignalSent | TracedExit | FileClosed
_Traced = _Stacked | TracerLoaded | TracerProblem | SignalReceived | ChildEnded


class GunicornLog:
    """gunicorn's error log as ``log`` events; the lines of a traceback follow the line that announced it."""

    def __init__(self, sink: EventSink) -> None:
        self._sink = sink
        self._kept = 0

    def handle(self, lines: bytes, at_ns: int) -> None:
        """Emit each line; past MAX_LINES only those that say something about a process."""
        for raw in lines.decode("utf-8", "replace").removesuffix("\n").split("\n"):
            line = gunicorn.parse_log_line(raw)
            self._kept += 1
            if line.state is not None or self._kept <= MAX_LINES:
                text = line.text[:MAX_TEXT]
                said = GunicornLine(at_ns=at_ns, text=text, pid=line.pid, level=line.level, state=line.state)
                self._sink.emit(said)


def tally_gunicorn(sink: EventSink) -> Handler:
    """The access log of gunicorn as ``served`` events: {pid: {status: count}} for each piece read."""

    def handle(lines: bytes, at_ns: int) -> None:
        by_pid: defaultdict[int, dict[str, int]] = defaultdict(dict)
        for (pid, status), count in gunicorn.parse_access(lines).items():
            by_pid[pid][status] = count
        if by_pid:
            sink.emit(Served(at_ns=at_ns, by_pid=dict(by_pid)))

    return handle


def tally_proxy(sink: EventSink, proxy: Proxy) -> Handler:
    """The proxy's access log as ``proxied`` events, and ``proxy_errors`` for what it says of the upstream."""
    errors = tally_proxy_errors(sink, proxy)

    def handle(lines: bytes, at_ns: int) -> None:
        statuses = proxy.parse_access(lines)
        if statuses:
            sink.emit(Proxied(at_ns=at_ns, statuses=dict(statuses)))
        errors(lines, at_ns)

    return handle


def tally_proxy_errors(sink: EventSink, proxy: Proxy) -> Handler:
    """The proxy's error log as ``proxy_errors`` events."""

    def handle(lines: bytes, at_ns: int) -> None:
        reasons: Counter[str] = proxy.parse_errors(lines)
        if reasons:
            sink.emit(ProxyErrors(at_ns=at_ns, reasons=dict(reasons)))

    return handle


def read_trace(sink: EventSink, site: str) -> Handler:
    """The tracer's file as events; ``site`` is what is cut off the paths of the stack."""

    def handle(lines: bytes, at_ns: int) -> None:
        for raw in lines.splitlines():
            event = parse_event({"at_ns": at_ns, **json.loads(raw)})
            if not isinstance(event, _Traced):
                raise TypeError(f"the tracer does not tell of {event.kind}")
            sink.emit(_tidy(event, site) if isinstance(event, _Stacked) else event)

    return handle


def read_app_faults(sink: EventSink) -> Handler:
    """What the wrapper around the user's app writes, as ``app-fault`` events."""

    def handle(lines: bytes, at_ns: int) -> None:
        for raw in lines.splitlines():
            event = parse_event({"at_ns": at_ns, **json.loads(raw)})
            if not isinstance(event, AppFault):
                raise TypeError(f"the wrapper of the app does not tell of {event.kind}")
            sink.emit(event)

    return handle


def _tidy(event: _Stacked, site: str) -> _Stacked:
    """Short paths, and without the frames of how gunicorn was started."""
    frames = [frame for frame in event.stack if Path(frame[0]).name != "runpy.py"]
    stack = tuple((_shorten(file, site), line, name, text) for file, line, name, text in frames)
    return replace(event, stack=stack)


def _shorten(file: str, site: str) -> str:
    """``gunicorn/sock.py`` for a file of the environment, ``lib/python3.6/x.py`` for the interpreter's own."""
    path = Path(file)
    for marker in ("site-packages", "dist-packages"):
        if marker in path.parts:
            return str(Path(*path.parts[path.parts.index(marker) + 1 :]))
    if site and path.is_relative_to(site):
        return str(path.relative_to(site))
    return str(Path(*path.parts[path.parts.index("lib") :])) if "lib" in path.parts else path.name
