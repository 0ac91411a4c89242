"""caddy. It sends a request again that failed on a connection kept from an earlier one, and doesn't log that.

Both logs are lines of JSON, in which a quote inside a text is escaped, so that no client can forge what is matched.
"""

from __future__ import annotations

import re
from collections import Counter
from string import Template

from harness.core.errors import UsageError
from harness.core.patterns import pattern
from harness.provision.tools import Recipe
from harness.stack.proxies.setting import Setting

RECIPE = Recipe(
    name="caddy",
    debian="caddy",
    packages={
        "Debian, Ubuntu": "apt-get install caddy",
        "Fedora": "dnf install caddy",
        "Alpine": "apk add caddy (from the community repository)",
        "macOS": "brew install caddy",
    },
    version_argument="version",
    version_pattern=r"v?(\d+\.\d\S*)",
    service="caddy",
)
TEMPLATE = "Caddyfile.in"
CONFIG = "Caddyfile"
IMAGE = None

REACHES_ABSTRACT = True

LOGS_ALL = True

_ANSWER = pattern(rb'"msg":"handled request",.*"status":(\d+),')
_NUMBERED = pattern(rb'"msg":"handled request",.*"X-Request-Id":\["([wpd])(\d+)"\].*"status":(\d+),')
_FAILED = pattern(rb'"logger":"http\.log\.error[^"]*","msg":"((?:[^"\\\n]|\\.)*)"')
_CUT_SHORT = pattern(rb'"msg":"aborting with incomplete response","error":"(?!context canceled)')

_REASONS = (
    ("no such file or directory", "missing"),
    ("connection refused", "refused"),
    ("permission denied", "denied"),
    ("resource temporarily unavailable", "refused"),  # the backlog is full: as the prober counts it
    ("dial ", "connect"),
    ("timeout", "timeout"),
    ("reset by peer", "reset"),
    ("EOF", "closed"),
    ("broken pipe", "closed"),
)
"""Text in its log -> the reason; the first that matches."""

_CLIENT_GONE = "context canceled"


def render_config(template: str, setting: Setting) -> str:
    """The configuration; a Unix socket is written as ``unix//path``."""
    return Template(template).substitute(
        port=setting.port,
        upstream=re.sub(r"^unix:", "unix/", setting.upstream),
        keepalive="keepalive 2m" if setting.keepalive else "keepalive off",
    )


def render_command(program: str, config: str) -> list[str]:
    """``run`` stays in the foreground; caddy stores its files in the run's own HOME."""
    adapter = [] if config.endswith(".json") else ["--adapter", "caddyfile"]
    return [program, "run", *adapter, "--config", config]


def parse_access(chunk: bytes) -> Counter[str]:
    """Answers by status; 0 stands for a client that had closed the connection."""
    return Counter(status.decode() for status in _ANSWER.findall(chunk) if status != b"0")


def parse_ledger(chunk: bytes) -> list[tuple[bytes, bytes, bytes]]:
    """The id is among the request's headers; the status is 0 where the client had closed the connection."""
    return [(status, letter, number) for letter, number, status in _NUMBERED.findall(chunk)]


def parse_errors(chunk: bytes) -> Counter[str]:
    """Failed requests by reason. Attempts that were made again leave no trace."""
    said = [text.decode("utf-8", "replace") for text in _FAILED.findall(chunk)]
    reasons = Counter(_reason(text) for text in said if text != _CLIENT_GONE)
    reasons["closed"] += len(_CUT_SHORT.findall(chunk))
    return +reasons


def _reason(text: str) -> str:
    return next((reason for said, reason in _REASONS if said in text), "other")


def user_when_root() -> str | None:
    """None: caddy keeps the user that starts it; packages start it as a user of its own."""
    return None


def render_portable(config: str) -> str:
    """See ``Proxy``."""
    where = r'^(http://:|\s*"listen": \[\s*"127\.0\.0\.1:)\d+'
    config, ports = re.subn(where, r"\1@PORT@", config, flags=re.MULTILINE)
    if ports == 0:
        raise UsageError(what="The Caddyfile names no port.", remedy="Render the script from what the harness wrote.")
    return config
