"""The worker classes: one row each in ``WORKERS``, with all in which one differs from another.

``provision/releases.toml`` tells what has to be installed for a worker class, and which releases have it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from harness.core.frozen import dataclass

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
    silent_in_request: bool = False  # whether a worker does not tell that it lives while the app is at work
    asgi: bool = False  # whether its app is an ASGI app
    named_with_threads: str | None = None  # the class that the settings name where there are several threads
    settings_lines: str = ""  # what the settings begin with, whatever the release
    deviation: str | None = None  # what that, or the app, changes against the original report, in words


WORKERS: Mapping[str, WorkerClass] = {
    # The original report asks for its thread worker as ``sync`` with several threads.
    "gthread": WorkerClass(has_threads=True, bounded=True, named_with_threads="sync"),
    "sync": WorkerClass(bounded=True, silent_in_request=True),
    "gevent": WorkerClass(),
    "eventlet": WorkerClass(),
    "tornado": WorkerClass(
        silent_in_request=True,
        settings_lines=_TORNADO_ACCESS_LOG,
        deviation="access log: tornado's own, because gunicorn writes none with its tornado worker",
    ),
    "asgi": WorkerClass(asgi=True, deviation="app: the ASGI twin of the Bottle app, which needs no Bottle"),
}
"""The worker classes of the contract, and the ASGI worker that recent releases bring along, by the name of --worker."""


_UVICORN_ACCESS_LOG = """\
import logging  # uvicorn's worker writes an access log without the worker's pid: the line is made anew, with it
import os


class _AccessLine(logging.Filter):
    def filter(self, record):
        if isinstance(record.args, tuple) and len(record.args) == 5:
            record.msg, record.args = '"%s" %d <%d>', (record.args[2], record.args[4], os.getpid())
        return True


logging.getLogger("uvicorn.access").addFilter(_AccessLine())
"""

BROUGHT: Mapping[str, WorkerClass] = {
    "uvicorn": WorkerClass(
        asgi=True,
        settings_lines=_UVICORN_ACCESS_LOG,
        deviation="access log: each line of uvicorn's is made anew, with the worker's pid",
    ),
}
"""Worker classes of other packages, which users bring along, by the first part of their module's name."""

_SHORT = {
    "sync.SyncWorker": "sync",
    "gthread.ThreadWorker": "gthread",
    "ggevent.GeventWorker": "gevent",
    "geventlet.EventletWorker": "eventlet",
    "gtornado.TornadoWorker": "tornado",
    "gasgi.ASGIWorker": "asgi",
}


def find_worker(name: str) -> WorkerClass:
    """The row of a worker class; for one that only another version of the harness knows, a row with the defaults."""
    brought = re.split(r"[._]", name)[0] if "." in name else ""
    return WORKERS.get(name) or BROUGHT.get(brought) or WorkerClass()


def name_worker(worker_class: str, threads: int) -> str:
    """The name of the class that gunicorn takes for a value of ``worker_class`` and ``threads``.

    With several threads it takes its thread worker instead of the sync one. A class of another package keeps its path.
    """
    name = worker_class.removeprefix("egg:gunicorn#").removeprefix("gunicorn.workers.")
    name = _SHORT.get(name, name if name in WORKERS else worker_class)
    return "gthread" if name == "sync" and threads > 1 else name


def with_threads() -> str:
    """The names of the worker classes that have threads, for a remedy."""
    return " or ".join(name for name, worker in WORKERS.items() if worker.has_threads)
