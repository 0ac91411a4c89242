"""Text that a person reads: what comes from anywhere made fit for a terminal, and nouns with their numbers."""

from __future__ import annotations

from harness.core.patterns import pattern

_STEERING = pattern("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Control characters but tab and line feed, and what turns the direction of writing."""


def printable(text: str) -> str:
    r"""The text with what would steer a terminal written as \xNN or \uNNNN; tabs and line ends stay."""
    return _STEERING.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def plural(count: int | float, noun: str) -> str:
    """``1 recycle``, ``34 recycles``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
