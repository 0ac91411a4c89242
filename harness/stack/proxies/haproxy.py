"""haproxy. It repeats a connect that failed, but never a request that it has sent.

Its one log has the requests, each with a termination state of two letters: who ended the request, and in which phase.
The errors of the upstream are read from there. They are not complete: if the upstream closes a connection on which the
client had an answer before, haproxy closes the client's connection too, and logs nothing.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from string import Template

from harness.core.errors import SurroundingsError, UsageError
from harness.core.patterns import pattern
from harness.provision.tools import Recipe
from harness.stack.proxies.setting import Setting
from harness.stack.proxies.users import first_user, group_of

RECIPE = Recipe(
    name="haproxy",
    debian="haproxy",
    packages={
        "Debian, Ubuntu": "apt-get install haproxy",
        "Fedora": "dnf install haproxy",
        "Alpine": "apk add haproxy",
        "macOS": "brew install haproxy",
    },
    version_argument="-v",
    version_pattern=r"HA-?Proxy version (\S+)",
    service="haproxy",
)
TEMPLATE = "haproxy.cfg.in"
CONFIG = "haproxy.cfg"
IMAGE = "haproxy"

REACHES_ABSTRACT = False
"""Its abns@ fills the name up with zero bytes, to the full length of an address: that is another socket."""

LOGS_ALL = False
"""A thread of haproxy drops a line rather than wait for another thread that writes (``fd_write_frag_line``)."""

LONGEST_PATH = 97
"""haproxy keeps the last ten of the 107 bytes that Linux allows for the names of sockets that it renames."""

_USERS = ("haproxy", "nobody")
"""The user of the distributions' packages, and one for a haproxy that was built from source."""

_ANSWER = pattern(rb"^(-?\d+) [\w-]{2} \+?\d+ ", re.MULTILINE)
_NUMBERED = pattern(rb"^(-?\d+) [\w-]{2} [^\n]* ([wpd])(\d+)$", re.MULTILINE)
_ENDED = pattern(rb"^-?\d+ ([SsPRI][\w-]) \+?\d+ ", re.MULTILINE)
_RETRIED = pattern(rb"^-?\d+ [\w-]{2} \+?([1-9]\d*) ", re.MULTILINE)

_CONNECTING = "C"


def render_config(template: str, setting: Setting) -> str:
    """The configuration; a Unix socket is written as ``unix@/path``.

    Raises:
        SurroundingsError: the socket's path is too long for haproxy.
    """
    path = setting.upstream.partition("unix:")[2]
    if len(os.fsencode(path)) > LONGEST_PATH:
        raise SurroundingsError(
            what=f"The socket's path {path} is longer than the {LONGEST_PATH} bytes that haproxy allows.",
            remedy="Set TMPDIR to a folder with a shorter path, such as /tmp.",
        )
    user = "" if setting.user is None else f"user {setting.user}\n    group {group_of(setting.user)}"
    address = (
        setting.upstream.replace("unix:", "unix@", 1) if setting.upstream.startswith("unix:") else setting.upstream
    )
    text = Template(template).substitute(
        user=user,
        port=setting.port,
        upstream=address,
        persistence="option http-keep-alive" if setting.keepalive else "option http-server-close",
    )
    return "".join(line for line in text.splitlines(keepends=True) if not line.isspace())


def render_command(program: str, config: str) -> list[str]:
    """``-db`` keeps it in the foreground whatever the configuration says."""
    return [program, "-db", "-f", config]


def parse_access(chunk: bytes) -> Counter[str]:
    """Answers by status; ``closed`` where haproxy closed the client's connection without one."""
    answers: Counter[str] = Counter()
    for status in _ANSWER.findall(chunk):
        answers[status.decode() if int(status) > 0 else "closed"] += 1
    return answers


def parse_ledger(chunk: bytes) -> list[tuple[bytes, bytes, bytes]]:
    """The id is the last thing on a line; the status is -1 where haproxy closed the connection without an answer."""
    return _NUMBERED.findall(chunk)


def parse_errors(chunk: bytes) -> Counter[str]:
    """Requests that the upstream failed, by reason, and how often a connect was ``retried``."""
    reasons = Counter(_reason(state.decode()) for state in _ENDED.findall(chunk))
    retried = sum(int(count) for count in _RETRIED.findall(chunk))
    if retried:
        reasons["retried"] = retried
    return reasons


def _reason(state: str) -> str:
    """The reason by the first letter: S the server closed or refused, s it was too late; P, R and I: haproxy's own."""
    who, phase = state[0], state[1]
    if who == "s":
        return "timeout"
    if who == "S":
        return "connect" if phase == _CONNECTING else "closed"
    return "other"


def user_when_root() -> str | None:
    """The user of the distributions' packages."""
    return first_user(_USERS)


def render_portable(config: str) -> str:
    """See ``Proxy``."""
    config = re.sub(r"^\s*(?:user|group) .*\n", "", config, flags=re.MULTILINE)
    config, ports = re.subn(r"^(\s*bind 127\.0\.0\.1:)\d+", r"\1@PORT@", config, flags=re.MULTILINE)
    if ports == 0:
        raise UsageError(what="haproxy.cfg names no port.", remedy="Render the script from what the harness wrote.")
    return config
