"""Careful reading of stored JSON for the reports: a key may be missing, of another type, or hostile.

Reports render runs of other machines and other versions, so each value is asked for with the type that is wanted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from harness.core.model import Json
from harness.core.patterns import pattern
from harness.core.secrets import redact

UNKNOWN = "unknown"
"""What a record does not say."""

SHORT_CHARS = 200
"""Texts up to this length are remembered: the reports of a run show three quarters of theirs more than once."""

_CONTROL = pattern(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


def dig(data: Json, *keys: str) -> Json:
    """The value below ``keys``, None where something on the way is missing or no object."""
    for key in keys:
        if not isinstance(data, Mapping):
            return None
        data = data.get(key)
    return data


def text(data: Json, *keys: str, default: str = UNKNOWN) -> str:
    """A text or a number as one clean line."""
    value = dig(data, *keys)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return default
    return line(str(value)) or default


def number(data: Json, *keys: str) -> int | float | None:
    """A number, None where there is none."""
    value = dig(data, *keys)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def texts(data: Json, *keys: str) -> list[str]:
    """The texts of a list, each as one clean line."""
    return [line(value) for value in items(data, *keys) if isinstance(value, str)]


def items(data: Json, *keys: str) -> Sequence[Json]:
    """A list, empty where there is none."""
    value = dig(data, *keys)
    return value if isinstance(value, list | tuple) else ()


def mapping(data: Json, *keys: str) -> Mapping[str, Json]:
    """An object, empty where there is none."""
    value = dig(data, *keys)
    return value if isinstance(value, Mapping) else {}


def clean(raw: str) -> str:
    """The text without secrets and what would steer a terminal, break XML or turn the direction of writing."""
    return _clean_short(raw) if len(raw) <= SHORT_CHARS else _clean(raw)


def _clean(raw: str) -> str:
    return redact(_CONTROL.sub("\N{REPLACEMENT CHARACTER}", raw.replace("\r\n", "\n")))


_clean_short = lru_cache(maxsize=4096)(_clean)


def line(raw: str) -> str:
    """The text as one clean line."""
    return " ".join(clean(raw).split())


def seconds(data: Json, *keys: str) -> str:
    """A time as ``1.27 s``."""
    value = number(data, *keys)
    return "unknown" if value is None else f"{value:.3g} s" if value < 1 else f"{value:.2f} s"


def pairs(data: Json) -> str:
    """An object of numbers as ``200: 2731, 502: 9614``, without those that are zero."""
    found: Mapping[str, Any] = mapping(data)
    shown = [f"{line(key)}: {value:,}" for key, value in found.items() if number(found, key)]
    return ", ".join(shown) or "none"


def frames(culprit: Json) -> list[tuple[str, str]]:
    """The culprit's stack as (frame, source line or ""), innermost last."""
    sources = texts(culprit, "source")
    stack = texts(culprit, "stack")
    return list(zip(stack, sources + [""] * len(stack), strict=False))
