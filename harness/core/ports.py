"""TCP ports of the loopback: finds a free one, or checks whether a given one is free."""

from __future__ import annotations

import socket

from harness.core.errors import SurroundingsError


def find_free_port() -> int:
    """A port of 127.0.0.1 that is free now; another process may take it first, so the caller must be able to retry."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def require_free_port(port: int) -> None:
    """Check that 127.0.0.1:port can be listened on.

    Raises:
        SurroundingsError: another process listens there, or the port may not be used.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as problem:
            raise SurroundingsError(
                what=f"Port {port} of 127.0.0.1 can't be used: {problem.strerror}.",
                remedy=f"Stop what listens there (`ss -ltnp 'sport = :{port}'`), or leave --port out.",
            ) from problem
