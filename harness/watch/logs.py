"""Turns what the servers write into events: log lines with arrival times, tallies of the access logs, the trace.

Access logs are tallied in pieces as they grow and never kept: a run may write a million lines.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path

from harness.stack import gunicorn
from harness.stack.proxies import Proxy
from harness.watch.event_log import EventSink
from harness.watch.follow import Handler

MAX_LINES = 5000
"""Log lines kept as events in one run; the log files themselves stay whole."""

MAX_TEXT = 2000


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
                self._sink.emit("log", at_ns, text=text, pid=line.pid, level=line.level, state=line.state)


def tally_gunicorn(sink: EventSink) -> Handler:
    """The access log of gunicorn as ``served`` events: {pid: {status: count}} for each piece read."""

    def handle(lines: bytes, at_ns: int) -> None:
        by_pid: defaultdict[str, dict[str, int]] = defaultdict(dict)
        for (pid, status), count in gunicorn.parse_access(lines).items():
            by_pid[str(pid)][status] = count
        if by_pid:
            sink.emit("served", at_ns, by_pid=dict(by_pid))

    return handle


def tally_proxy(sink: EventSink, proxy: Proxy) -> Handler:
    """The proxy's access log as ``proxied`` events, and ``proxy_errors`` for what it says of the upstream."""
    errors = tally_proxy_errors(sink, proxy)

    def handle(lines: bytes, at_ns: int) -> None:
        statuses = proxy.parse_access(lines)
        if statuses:
            sink.emit("proxied", at_ns, statuses=dict(statuses))
        errors(lines, at_ns)

    return handle


def tally_proxy_errors(sink: EventSink, proxy: Proxy) -> Handler:
    """The proxy's error log as ``proxy_errors`` events."""

    def handle(lines: bytes, at_ns: int) -> None:
        reasons: Counter[str] = proxy.parse_errors(lines)
        if reasons:
            sink.emit("proxy_errors", at_ns, reasons=dict(reasons))

    return handle


def read_trace(sink: EventSink, site: str) -> Handler:
    """The tracer's file as ``tracer`` and ``removal`` events; ``site`` is what is cut off the paths of the stack."""

    def handle(lines: bytes, at_ns: int) -> None:
        for raw in lines.splitlines():
            said = json.loads(raw)
            kind, seen_ns = said.pop("kind"), said.pop("at_ns", at_ns)
            if kind == "removal":
                frames = [frame for frame in said["stack"] if Path(frame[0]).name != "runpy.py"]  # how we started it
                said["stack"] = [[_shorten(file, site), line, name, text] for file, line, name, text in frames]
            sink.emit(kind, seen_ns, **said)

    return handle


def _shorten(file: str, site: str) -> str:
    """``gunicorn/sock.py`` for a file of the environment, ``lib/python3.6/x.py`` for the interpreter's own."""
    path = Path(file)
    for marker in ("site-packages", "dist-packages"):
        if marker in path.parts:
            return str(Path(*path.parts[path.parts.index(marker) + 1 :]))
    if site and path.is_relative_to(site):
        return str(path.relative_to(site))
    return str(Path(*path.parts[path.parts.index("lib") :])) if "lib" in path.parts else path.name
