"""Removes what must not leave this machine inside an attachment: home folders, names of user and host, secrets.

The functions take and return lines. ``report.attachment`` reads the files and decides which of them are sent.
"""

from __future__ import annotations

import getpass
import json
import os
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from harness.core.frozen import dataclass
from harness.core.model import Json
from harness.core.secrets import GONE, is_secret_name

SHORTEST_IN_FACTS = 4
SHORTEST_IN_TEXT = 8
"""Shorter values ("1", "true") are no secrets, and would be found everywhere."""

_ORDINARY = {"", "root", "nobody", "localhost", "bin", "lib", "usr", "etc", "tmp", "var", "opt", "home", "srv", "dev"}
"""Names that identify no person or machine, or that stand in every path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The person and the machine whose traces are taken out."""

    home: str
    user: str
    host: str


def current_identity() -> Identity:
    """The identity of this process: its home folder, user and host."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a uid without a name, as in many containers
        user = ""
    try:
        home = str(Path("~").expanduser())
    except RuntimeError:  # no HOME, and no entry for this uid
        home = ""
    return Identity(home=home, user=user, host=socket.gethostname())


def make_scrubber(identity: Identity) -> Callable[[bytes], bytes]:
    """A function that takes the traces out of one line (UTF-8, or whatever a log holds).

    Home folders, also those of other machines, become ``~``; the user's name as a part of a path or before an
    ``@`` becomes ``user``; the host's name becomes ``host``. A name that is the whole of a JSON string is left
    alone: there it is a word of the record, and changing it could change the verdict. Applying it twice changes
    nothing more.
    """
    rules = [(pattern, to.encode()) for pattern, to in _rules(identity)]

    def scrub(line: bytes) -> bytes:
        for pattern, replacement in rules:
            line = pattern.sub(replacement, line)
        return line

    return scrub


def _rules(identity: Identity) -> Iterator[tuple[re.Pattern[bytes], str]]:
    home = identity.home.rstrip("/").encode()
    if home.startswith(b"/"):
        yield re.compile(rb"(?<![\w.~-])" + re.escape(home) + rb"(?![\w-]|\.\w)"), "~"
    yield re.compile(rb"(?<![\w.~-])/(?:home|Users)/[^/\s\"'\\:,;()\[\]<>]+"), "~"
    if identity.user not in _ORDINARY:
        user = re.escape(identity.user.encode())
        yield (
            re.compile(rb"(?<=/)" + user + rb"(?![\w.-])|\b" + user + rb"(?=@)|(?<=-of-)" + user + rb"(?![\w.-])"),
            "user",
        )
    for name in dict.fromkeys((identity.host, identity.host.split(".")[0])):
        if name not in _ORDINARY:
            host = re.escape(name.encode())
            yield re.compile(rb'(?<![\w."-])' + host + rb'(?![\w-])|(?<=")' + host + rb'(?![\w"-])'), "host"


def secrets_of(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables whose names say that they hold a secret, with their values."""
    return {name: value for name, value in environment.items() if is_secret_name(name)}


def is_word(value: str) -> bool:
    """Whether a value is so short or plain that it may stand in a record by chance: nobody can tell."""
    return len(value) < SHORTEST_IN_TEXT or (value.isalpha() and value.islower()) or value.isdigit()


def secret_in_facts(facts: Json, secrets: Mapping[str, str]) -> str | None:
    """The name of a variable whose value stands in a text of ``facts``; None where there is none."""
    texts = list(_texts(facts))
    for name, value in secrets.items():
        if len(value) >= SHORTEST_IN_FACTS and any(value in text for text in texts):
            return name
    return None


def make_secret_finder(secrets: Mapping[str, str]) -> Callable[[bytes], str | None]:
    """A function that names the variable whose value stands in a line, either as it is or inside a JSON string."""
    needles = {
        spelling.encode("utf-8", "surrogateescape"): name
        for name, value in secrets.items()
        for spelling in _spellings(value)
        if len(spelling) >= SHORTEST_IN_TEXT
    }
    if not needles:
        return lambda line: None
    pattern = re.compile(b"|".join(map(re.escape, needles)))

    def find(line: bytes) -> str | None:
        found = pattern.search(line)
        return needles[found[0]] if found else None

    return find


def make_value_redactor(secrets: Mapping[str, str]) -> Callable[[bytes], tuple[bytes, list[str]]]:
    """A function that takes the values of variables out of a line, and tells whose it took."""
    needles = {
        spelling.encode("utf-8", "surrogateescape"): name
        for name, value in secrets.items()
        for spelling in _spellings(value)
        if len(spelling) >= SHORTEST_IN_TEXT
    }
    pattern = re.compile(b"|".join(map(re.escape, sorted(needles, key=len, reverse=True)))) if needles else None

    def take_out(line: bytes) -> tuple[bytes, list[str]]:
        if pattern is None:
            return line, []
        taken: list[str] = []

        def replace(found: re.Match[bytes]) -> bytes:
            taken.append(needles[found[0]])
            return GONE

        return pattern.sub(replace, line), taken

    return take_out


def _spellings(value: str) -> set[str]:
    inside_json = {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    return {*value.splitlines(), *inside_json}


def _texts(data: Json) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, Mapping):
        for key, value in data.items():
            yield key
            yield from _texts(value)
    elif isinstance(data, list | tuple):
        for value in data:
            yield from _texts(value)
