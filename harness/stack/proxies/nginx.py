"""nginx. It sends a request again, on a new connection, that failed on a connection kept from an earlier one.

The access log has the upstream's status of each attempt, and so shows retries that no client noticed; the error log
tells why an attempt failed.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from string import Template

from harness.core.errors import UsageError
from harness.core.patterns import pattern
from harness.provision.tools import Recipe
from harness.stack.proxies.setting import Setting
from harness.stack.proxies.users import first_user, group_of

RECIPE = Recipe(
    name="nginx",
    debian="nginx",
    packages={
        "Debian, Ubuntu": "apt-get install nginx",
        "Fedora": "dnf install nginx",
        "Alpine": "apk add nginx",
        "macOS": "brew install nginx",
    },
    version_argument="-v",
    version_pattern=r"nginx version: nginx/(\S+)",
    service="nginx",
)
TEMPLATE = "nginx.conf.in"
CONFIG = "nginx.conf"
IMAGE = "nginx"

REACHES_ABSTRACT = False

LOGS_ALL = True

KEPT_CONNECTIONS = 64
"""Idle connections that each of its processes keeps: more than gunicorn has threads in the original report (25)."""

SPARE_CONNECTIONS = 512
"""Connections of one process for probes and those kept open, in addition to those of the load and the upstream."""

_USERS = ("www-data", "nginx", "nobody")
"""Debian's, Fedora's and Alpine's, nginx's own."""

_ANSWER = pattern(rb'^(\d{3}) "', re.MULTILINE)
_ATTEMPTS = pattern(rb'^\d{3} "([^"\n]*,[^"\n]*)"', re.MULTILINE)
_NUMBERED = pattern(rb'^(\d{3}) "[^\n]* ([wpd])(\d+)$', re.MULTILINE)
_FAILED = pattern(rb'^\S+ \S+ \[\w+\] [\d#]+: \*\d+ ([^\n]*?), client: [^\n]* upstream: "', re.MULTILINE)

_REASONS = (
    ("(2: ", "missing"),
    ("(111: ", "refused"),
    ("(13: ", "denied"),
    ("(11: ", "refused"),  # the backlog is full: as the prober counts it
    ("timed out", "timeout"),
    ("prematurely closed", "closed"),
    ("(104: ", "reset"),
    ("(32: ", "closed"),
    ("connect() ", "connect"),
    ("no live upstreams", "connect"),
)
"""Text in its error log -> the reason; the first that matches. The numbers are Linux's errno."""


def render_config(template: str, setting: Setting) -> str:
    """The configuration; without keep-alive nginx speaks HTTP/1.0 to the upstream and closes, as it does by default."""
    user = "" if setting.user is None else f"user {setting.user} {group_of(setting.user)};"
    keepalive = f"keepalive {KEPT_CONNECTIONS};" if setting.keepalive else ""
    persistence = 'proxy_http_version 1.1;\n            proxy_set_header Connection "";' if setting.keepalive else ""
    connections = 2 * setting.connections + SPARE_CONNECTIONS  # all clients may come to one of its processes
    text = Template(template).substitute(
        connections=connections,
        files=2 * connections,
        user=user,
        folder=setting.folder,
        port=setting.port,
        upstream=setting.upstream,
        keepalive=keepalive,
        persistence=persistence,
    )
    return "".join(line for line in text.splitlines(keepends=True) if not line.isspace())


def render_command(program: str, config: str) -> list[str]:
    """The prefix is the configuration's folder; the configuration keeps nginx in the foreground."""
    return [program, "-p", os.path.dirname(config) or ".", "-c", config]  # noqa: PTH120 - "" is an answer here


def parse_access(chunk: bytes) -> Counter[str]:
    """Answers by status; ``closed`` for an answer that is no HTTP, which nginx passes on and logs as 009."""
    return Counter("closed" if status.startswith(b"0") else status.decode() for status in _ANSWER.findall(chunk))


def parse_ledger(chunk: bytes) -> list[tuple[bytes, bytes, bytes]]:
    """The id is the last thing on a line; a request that nginx sent twice has one line nevertheless."""
    return _NUMBERED.findall(chunk)


def parse_errors(chunk: bytes) -> Counter[str]:
    """Failed attempts by reason, from the error log; ``retried`` ones from the access log."""
    reasons = Counter(_reason(text.decode("utf-8", "replace")) for text in _FAILED.findall(chunk))
    retried = sum(attempts.count(b",") for attempts in _ATTEMPTS.findall(chunk))
    if retried:
        reasons["retried"] = retried
    return reasons


def _reason(text: str) -> str:
    return next((reason for said, reason in _REASONS if said in text), "other")


def user_when_root() -> str | None:
    """The user of the distribution's own configuration."""
    return first_user(_USERS)


def render_portable(config: str) -> str:
    """See ``Proxy``."""
    config = re.sub(r"^user .*\n", "", config, flags=re.MULTILINE)
    config = re.sub(r"^(\s*(?:pid|\w+_temp_path) ).*/", r"\1@DIR@/", config, flags=re.MULTILINE)
    config, ports = re.subn(r"^(\s*listen 127\.0\.0\.1:)\d+", r"\1@PORT@", config, flags=re.MULTILINE)
    if ports == 0:
        raise UsageError(what="nginx.conf names no port.", remedy="Render the script from what the harness wrote.")
    return config
