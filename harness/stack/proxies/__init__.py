"""The reverse proxies: one small module each, one row each in ``PROXIES``.

A proxy's module has everything about it: how to get its program, its configuration, its command line, the user that it
switches to, and how to read its logs. To add a proxy, add one file, its template and one row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Protocol

from harness.provision.tools import Recipe
from harness.stack.proxies import caddy, h2o, haproxy, nginx
from harness.stack.proxies.setting import Setting


class Proxy(Protocol):
    """What the engine asks of a proxy's module."""

    RECIPE: Recipe
    """The program: how to find it, to get it and to ask for its version."""

    TEMPLATE: str
    """The configuration's template below ``fixtures/proxies``."""

    CONFIG: str
    """The name of the rendered configuration in the run's ``config`` folder."""

    @property
    def IMAGE(self) -> str | None:  # noqa: N802 - a constant of the module
        """The Debian package that its image is made from; None where it has no image."""

    REACHES_ABSTRACT: bool
    """Whether it can connect to an abstract socket that another program has bound."""

    LOGS_ALL: bool
    """Whether each request that it answers is in its access log, however busy it is."""

    def render_config(self, template: str, setting: Setting) -> str:
        """The configuration for one run."""

    def render_command(self, program: str, config: str) -> list[str]:
        """The argv that starts it in the foreground."""

    def parse_access(self, chunk: bytes) -> Counter[str]:
        """Whole lines of its access log -> answers by status, and ``closed`` for clients that got none."""

    def parse_ledger(self, chunk: bytes) -> Sequence[tuple[bytes, bytes, bytes]]:
        """Whole lines of its access log -> (status, client's letter, number) of each request that carries an id.

        The status is what the client was sent, as the log has it: it may be no status at all.
        """

    def parse_errors(self, chunk: bytes) -> Counter[str]:
        """Whole lines of either of its logs -> failed attempts at the upstream, by ``model.PROXY_ERRORS``."""

    def user_when_root(self) -> str | None:
        """The user that it switches to when root starts it; None where it stays root."""

    def render_portable(self, config: str) -> str:
        """A rendered configuration with @PORT@ and @DIR@ (an empty folder) for what belongs to the recorded run.

        It logs to its standard output and error, and names no user, so that any user may start it.

        Raises:
            UsageError: the configuration is not one that was rendered here.
        """


PROXIES: Mapping[str, Proxy | None] = {"h2o": h2o, "nginx": nginx, "haproxy": haproxy, "caddy": caddy, "none": None}
"""By the name of ``--proxy``; None means that the load goes straight to gunicorn."""
