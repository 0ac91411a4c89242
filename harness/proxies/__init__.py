"""The reverse proxies: one small module each, one row each in ``PROXIES``.

A proxy renders its configuration, says how it is started and reads its own logs. Nothing here starts a process.
A newcomer adds one file and one row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Protocol

from harness.proxies import h2o


class Proxy(Protocol):
    """What the engine asks of a proxy's module."""

    TOOL: str
    """The program's name, for the tool ladder."""

    TEMPLATE: str
    """The configuration's template below ``fixtures/proxies``."""

    CONFIG: str
    """The name of the rendered configuration in the run's ``config`` folder."""

    def render_config(self, template: str, *, port: int, upstream: str) -> str:
        """The configuration: listen on 127.0.0.1:``port``, hand everything to ``upstream`` (unix:PATH or HOST:PORT)."""

    def render_command(self, program: str, config: str) -> list[str]:
        """The argv that starts it in the foreground."""

    def parse_access(self, chunk: bytes) -> Counter[str]:
        """Whole lines of its access log -> answers by status."""

    def parse_errors(self, chunk: bytes) -> Counter[str]:
        """Whole lines of its error log -> failed requests by reason: ``connect closed timeout other``."""

    def user_when_root(self) -> str | None:
        """The user that it turns into when root starts it; None where it stays."""


PROXIES: Mapping[str, Proxy | None] = {"h2o": h2o, "none": None}
"""By the name of ``--proxy``; None means that the load goes straight to gunicorn."""
