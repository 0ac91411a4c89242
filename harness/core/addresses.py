"""Addresses of gunicorn as the harness writes them: ``unix:/path``, ``unix:@name`` (abstract) and ``HOST:PORT``.

An abstract socket has a name and no file: Linux keeps it in a name space of its own. Its address begins with a zero
byte, which no command line can hold; curl, caddy and /proc/net/unix write ``@`` for it, and so do we.
"""

from __future__ import annotations

_UNIX, _ABSTRACT, _ZERO = "unix:", "unix:@", "\0"


def unix_name(address: str) -> str | None:
    """What a client connects to: the path, or a zero byte and the name; None where the address is of TCP."""
    if address.startswith(_ABSTRACT):
        return _ZERO + address.removeprefix(_ABSTRACT)
    return address.removeprefix(_UNIX) if address.startswith(_UNIX) else None


def as_gunicorn_setting(address: str) -> str:
    """The value of gunicorn's setting ``bind``."""
    return address.replace(_ABSTRACT, f"{_UNIX}{_ZERO}", 1) if address.startswith(_ABSTRACT) else address
