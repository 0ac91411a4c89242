"""The lines at the top of gunicorn's settings file without which some releases don't start on a recent system.

The server under test runs them on Python 3.6 and later. ``releases.toml`` tells which release needs which shim.
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

_BIND_ITSELF = """\
import gunicorn.sock  # shim bind-itself: this gunicorn takes "no inherited sockets" for "nothing to listen on"

_create_sockets = gunicorn.sock.create_sockets
gunicorn.sock.create_sockets = lambda conf, log, *fds: _create_sockets(conf, log, *(one or None for one in fds))
"""

RUN_BY_NAME = "run-by-name"
"""The one shim that changes the command line instead of the settings."""

SHIMS: Mapping[str, str] = {
    "hide-so-reuseport": _HIDE_SO_REUSEPORT,
    "keep-leading-slash": _KEEP_LEADING_SLASH,
    "trust-log-files": _TRUST_LOG_FILES,
    "bind-itself": _BIND_ITSELF,
    RUN_BY_NAME: "# shim run-by-name: this release has no module that can be run, so its entry point is called\n",
}
"""What some releases need to start at all on a recent system."""
