"""The worker classes: one row each in ``WORKERS``, with all in which one differs from another.

``provision/releases.toml`` tells what has to be installed for a worker class, and which releases have it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_TORNADO_ACCESS_LOG = """\
import logging  # the tornado worker writes no access log: tornado's own, with the worker's pid, stands in for it
import os


class _AccessLog(logging.Handler):
    def emit(self, record):
        line = '"%s" %d <%d>\\n' % (record.args[1], record.args[0], os.getpid())
        fd = 1 if accesslog == "-" else os.open(accesslog, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(fd, line.encode("utf-8", "replace"))
        finally:
            if fd != 1:
                os.close(fd)


_access = logging.getLogger("tornado.access")
_access.setLevel(logging.INFO)
_access.propagate = False
_access.addHandler(_AccessLog())
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerClass:
    """What the harness has to know about a worker class."""

    has_threads: bool = False  # whether it uses ``threads``; else it has one
    bounded: bool = False  # whether it takes no more requests at a time than it has threads
    asgi: bool = False  # whether its app is an ASGI app
    named_with_threads: str | None = None  # the class that the settings name where there are several threads
    settings_lines: str = ""  # what the settings begin with, whatever the release
    deviation: str | None = None  # what that, or the app, changes against the original report, in words


WORKERS: Mapping[str, WorkerClass] = {
    # The original report asks for its thread worker as ``sync`` with several threads.
    "gthread": WorkerClass(has_threads=True, bounded=True, named_with_threads="sync"),
    "sync": WorkerClass(bounded=True),
    "gevent": WorkerClass(),
    "eventlet": WorkerClass(),
    "tornado": WorkerClass(
        settings_lines=_TORNADO_ACCESS_LOG,
        deviation="access log: tornado's own, because gunicorn writes none with its tornado worker",
    ),
    "asgi": WorkerClass(asgi=True, deviation="app: the ASGI twin of the Bottle app, which needs no Bottle"),
}
"""The worker classes of the contract, and the ASGI worker that recent releases bring along, by the name of --worker."""


def find_worker(name: str) -> WorkerClass:
    """The row of a worker class; for one that only another version of the harness knows, a row with the defaults."""
    return WORKERS.get(name, WorkerClass())


def with_threads() -> str:
    """The names of the worker classes that have threads, for a remedy."""
    return " or ".join(name for name, worker in WORKERS.items() if worker.has_threads)
