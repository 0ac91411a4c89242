"""What one run asks of its proxy, the same for all proxies."""

from __future__ import annotations

from harness.core.frozen import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Listen on 127.0.0.1:``port`` and hand everything to ``upstream`` (``unix:PATH`` or ``HOST:PORT``).

    ``folder``: for temporary files and the like; it exists, and goes with the run. ``keepalive``: whether connections
    to the upstream are kept for further requests. ``user``: whom to turn into; None is not to change the user at all.
    ``connections``: so many clients come at once, beside the probes.
    """

    port: int
    upstream: str
    folder: str
    keepalive: bool = True
    user: str | None = None
    connections: int = 200
