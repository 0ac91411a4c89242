"""The rows that ``harness doctor`` prints; each package can add rows about what it needs."""

from __future__ import annotations

from harness.core.frozen import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One thing that was checked. ``needed``: no run is possible without it. ``remedy``: what to do if not ``ok``.

    ``otherwise``: what it is called if it is neither ``ok`` nor ``needed``.
    """

    name: str
    ok: bool
    needed: bool
    found: str
    remedy: str = ""
    otherwise: str = "absent"
