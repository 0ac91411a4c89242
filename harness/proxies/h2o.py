"""h2o, the proxy of the original report. Reasons are those that h2o 2.2 and later write to their error log."""

from __future__ import annotations

import re
from collections import Counter
from string import Template

TOOL = "h2o"
TEMPLATE = "h2o.conf.in"
CONFIG = "h2o.conf"

_STATUS = re.compile(rb'^[^"\n]*"[^"\n]*" (\d{3}) ', re.MULTILINE)
_FAILED = re.compile(rb"^\[[^]\n]*proxy\.c\] in request:[^\n]*:([^:\n]+)$", re.M)


def render_config(template: str, *, port: int, upstream: str) -> str:
    """The configuration; h2o writes a Unix socket as ``http://[unix:/path]/``."""
    address = f"[{upstream}]" if upstream.startswith("unix:") else upstream
    return Template(template).substitute(port=port, upstream=f"http://{address}/")


def render_command(program: str, config: str) -> list[str]:
    """h2o stays in the foreground unless told otherwise."""
    return [program, "-c", config]


def parse_access(chunk: bytes) -> Counter[str]:
    """Answers by status."""
    return Counter(status.decode() for status in _STATUS.findall(chunk))


def parse_errors(chunk: bytes) -> Counter[str]:
    """Failed requests by reason: h2o says which step of the way to the upstream failed."""
    return Counter(_reason(text.decode("utf-8", "replace")) for text in _FAILED.findall(chunk))


def _reason(text: str) -> str:
    if "connect" in text:
        return "connect"
    if "I/O error" in text:
        return "closed"
    return "timeout" if "time" in text else "other"


def user_when_root() -> str | None:
    """h2o's documented default of the ``user`` directive."""
    return "nobody"
