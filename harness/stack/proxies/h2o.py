"""h2o, the proxy of the original report. Reasons are those that h2o 2.2 and later write to their error log."""

from __future__ import annotations

import re
from collections import Counter
from string import Template

from harness.core.errors import UsageError
from harness.core.patterns import pattern
from harness.provision.tools import Recipe
from harness.stack.proxies.setting import Setting

RECIPE = Recipe(
    name="h2o",
    debian="h2o",
    packages={
        "Debian, Ubuntu": "apt-get install h2o",
        "Fedora": "no package that we know of; build it from source",
        "Alpine": "apk add h2o (from the community repository)",
        "macOS": "brew install h2o",
    },
    version_argument="--version",
    version_pattern=r"h2o version (\S+)",
    service="h2o",
    unpacked_env={"H2O_ROOT": "usr"},  # where it looks for share/h2o, its own scripts
)
TEMPLATE = "h2o.conf.in"
CONFIG = "h2o.conf"
IMAGE = "h2o"

REACHES_ABSTRACT = False

LOGS_ALL = True

KEPT_MS = 2000
"""How long it keeps an idle connection to the upstream: h2o's own default, written here because 0 turns it off."""

MOST_CONNECTIONS = 1024
"""Connections of clients at a time: h2o's own default, or more if the load has more; h2o lets the rest wait."""

SPARE_CONNECTIONS = 512
"""Connections for probes, in addition to those of the load."""

_STATUS = pattern(rb'^[^"\n]*"[^"\n]*" (\d{3}) ', re.MULTILINE)
_NUMBERED = pattern(rb'" (\d{3}) [^\n]* ([wpd])(\d+)$', re.MULTILINE)
_FAILED = pattern(rb"^\[[^]\n]*proxy\.c\] in request:[^\n]*:([^:\n]+)$", re.MULTILINE)


def render_config(template: str, setting: Setting) -> str:
    """The configuration; h2o writes a Unix socket as ``http://[unix:/path]/``, and switches to ``nobody`` by itself."""
    upstream = setting.upstream
    address = f"[{upstream}]" if upstream.startswith("unix:") else upstream
    keepalive_ms = KEPT_MS if setting.keepalive else 0
    return Template(template).substitute(
        port=setting.port,
        upstream=f"http://{address}/",
        keepalive_ms=keepalive_ms,
        connections=max(MOST_CONNECTIONS, setting.connections + SPARE_CONNECTIONS),
    )


def render_command(program: str, config: str) -> list[str]:
    """h2o stays in the foreground unless told otherwise."""
    return [program, "-c", config]


def parse_access(chunk: bytes) -> Counter[str]:
    """Answers by status."""
    return Counter(status.decode() for status in _STATUS.findall(chunk))


def parse_ledger(chunk: bytes) -> list[tuple[bytes, bytes, bytes]]:
    """The id is the last thing on a line. h2o never sends a request to gunicorn twice."""
    return _NUMBERED.findall(chunk)


def parse_errors(chunk: bytes) -> Counter[str]:
    """Failed requests by reason: h2o says which step of the way to the upstream failed, but not the system's error."""
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


def render_portable(config: str) -> str:
    """See ``Proxy``."""
    config = re.sub(r"^(\s*access-log:[ \t]*)[^\s{|>].*$", r"\1/dev/stdout", config, flags=re.MULTILINE)
    config = re.sub(r"^(\s*path:[ \t]*).*$", r"\1/dev/stdout", config, flags=re.MULTILINE)
    config = re.sub(r"^\s*(?:error-log|pid-file|user):.*\n", "", config, flags=re.MULTILINE)
    config, ports = re.subn(r"^(\s*(?:-\s*)?port:[ \t]*)\d+", r"\1@PORT@", config, flags=re.MULTILINE)
    if ports == 0:
        raise UsageError(what="h2o.conf names no port.", remedy="Render the script from what the harness wrote.")
    return config
