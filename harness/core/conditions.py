"""What ``harness doctor`` tells, a row each; every room can say something of what it needs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One thing looked at. ``needed``: without it no run is possible here. ``remedy``: what to do where not ``ok``."""

    name: str
    ok: bool
    needed: bool
    found: str
    remedy: str = ""
