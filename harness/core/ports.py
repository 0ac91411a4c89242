"""TCP ports of the loopback: a free one, or whether one can be had."""

from __future__ import annotations

import socket

from harness.core.errors import SurroundingsError


def find_free_port() -> int:
    """A port of 127.0.0.1 that is free now; whoever uses it must be ready to try another."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def require_free_port(port: int) -> None:
    """SurroundingsError where somebody listens on 127.0.0.1:port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as problem:
            raise SurroundingsError(
                what=f"Port {port} of 127.0.0.1 can't be used: {problem.strerror}.",
                remedy=f"Stop what listens there (`ss -ltnp 'sport = :{port}'`), or leave --port out.",
            ) from problem
