"""The lines that come at the head of gunicorn's settings file: for some releases, so that they start; for some workers.

Text only, run by the server under test on Python 3.6 and later. Which release needs which shim is ``releases.toml``'s.
"""

from __future__ import annotations

from collections.abc import Mapping

_HIDE_SO_REUSEPORT = """\
import socket  # shim hide-so-reuseport: this kernel refuses SO_REUSEPORT on a Unix socket
import types

import gunicorn.sock


class _View(types.ModuleType):
    def __getattr__(self, name):  # from gunicorn.sock alone: gevent can't do without it
        if name == "SO_REUSEPORT":
            raise AttributeError(name)
        return getattr(socket, name)


gunicorn.sock.socket = _View("socket")
"""

_KEEP_LEADING_SLASH = """\
import gunicorn.util  # shim keep-leading-slash: this release binds tmp/x where it is told unix:/tmp/x

_parse_address = gunicorn.util.parse_address
gunicorn.util.parse_address = lambda address, *more: _parse_address(address.replace("unix:/", "unix:///", 1), *more)
"""

_TRUST_LOG_FILES = """\
import gunicorn.util  # shim trust-log-files: this release fails in asking whether it may write to a log file

gunicorn.util.is_writable = lambda path, uid, gid: True
"""

RUN_BY_NAME = "run-by-name"
"""The one shim that changes the command line instead of the settings."""

SHIMS: Mapping[str, str] = {
    "hide-so-reuseport": _HIDE_SO_REUSEPORT,
    "keep-leading-slash": _KEEP_LEADING_SLASH,
    "trust-log-files": _TRUST_LOG_FILES,
    RUN_BY_NAME: "# shim run-by-name: this release has no module that can be run, so its entry point is called\n",
}
"""What some releases need to start at all on a recent system."""

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

WORKER_LINES: Mapping[str, str] = {"tornado": _TORNADO_ACCESS_LOG}
"""What the settings of a worker class begin with, whatever the release."""

WORKER_DEVIATIONS: Mapping[str, str] = {
    "tornado": "access log: tornado's own, because gunicorn writes none with its tornado worker",
    "asgi": "app: the ASGI twin of the Bottle app, which needs no Bottle",
}
"""What that, or the app, changes against the original report, in words."""
