"""What looks like a secret in any text, by its form or by the name before it, and the text without it.

In JSON only strings are replaced, so that it stays JSON. Applying it twice changes nothing more.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import partial

from harness.core.model import Json
from harness.core.patterns import pattern

GONE = b"[redacted]"
NAMES = ("*PASS*", "*PWD*", "*CRED*", "*DSN*", "*_URL", "*TOKEN*", "*SECRET*", "*KEY*")
"""Of variables: whatever their value is, it does not leave the machine."""

_ANY_CASE = (
    rb"passw(?:or)?d|passwd|pwd|passphrase|secret|token|credentials?|"
    rb"(?:api|access|private|secret|signing|encryption|account|auth|master|shared|session|storage|hmac|jwt)[_-]?key"
)
_BY_NAME = rb"[A-Z0-9_]*(?:PASS|PWD|CRED|DSN|TOKEN|SECRET|KEY)[A-Z0-9_]*|[A-Z0-9_]+_URL"
_IS = rb"""\\?["']?\]?\s*(?:[:=]|=>)\s*"""
_VALUE = rb"""(?P<value>(?:b?\\?"(?:[^"\\]|\\[^"])*(?=\\?")|b?'[^']*(?=')|[^\s"'\\,;&<>(){}\[\]]{3,}))"""
_COOKIE = rb"(?i:(?:set-)?cookie)"
_WORDS = {b"none", b"null", b"true", b"false", b"yes", b"no", b"str", b"bytes", b"int", b"unknown"}

_NAME_PARTS = (b"passw", b"pwd", b"passphrase", b"secret", b"token", b"credential", b"key")

FORMS: tuple[tuple[str, tuple[bytes, ...], re.Pattern[bytes]], ...] = (
    (
        "a user and password in an address",
        (b"@",),
        pattern(rb"(?<=://)(?P<value>[^/\s\"'@<>\[\\]*:[^/\s\"'@<>\[\\]*|[^/\s\"'@<>:\[\\]{12,})(?=@)"),
    ),
    (
        "a credential of HTTP",
        (b"bearer", b"basic", b"negotiate"),
        pattern(rb"\b(?:Bearer|Basic|Negotiate)\s+(?P<value>[\w.~+/=-]{8,})", re.IGNORECASE),
    ),
    (
        "a key in an address",
        (b"?", b"&"),
        pattern(
            rb"[?&](?:[\w-]*(?:token|key|sig|signature|secret|password|auth|code)[\w-]*)=(?P<value>[^&\s\"'<>\\]+)",
            re.IGNORECASE,
        ),
    ),
    (
        "a token",
        (b"gh", b"github_pat_", b"glpat-", b"xox", b"akia", b"sk_live_", b"pypi-", b"eyj", b"npm_", b"aiza", b"sg."),
        pattern(
            rb"(?P<value>\bgh[pousr]_\w{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{16,}|\bxox[abposr]-[\w-]{10,}|\bAKIA[0-9A-Z]{16}"
            rb"|\bsk_live_\w{16,}|\bpypi-[\w-]{32,}|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}|\bnpm_\w{30,}|\bAIza[\w-]{30,}"
            rb"|\bSG\.[\w-]{16,}\.[\w-]{16,})"
        ),
    ),
    ("a cookie", (b"cookie",), pattern(rb"\b" + _COOKIE + rb"\s*:\s*(?P<value>[^\r\n\"'\\]{3,})")),
    (
        "a password or key",
        _NAME_PARTS,
        pattern(rb"(?<![\w-])--?[\w-]*(?i:" + _ANY_CASE + rb")\s+(?P<value>[^\s\"'\\-][^\s\"'\\]{2,})"),
    ),
    (
        "a password or key",
        _NAME_PARTS,
        pattern(rb"(?i:(?<![A-Za-z])[\w.-]*(?:" + _ANY_CASE + rb"))" + _IS + _VALUE),
    ),
    (
        "a variable that holds a secret by its name",
        (b"pass", b"pwd", b"cred", b"dsn", b"token", b"secret", b"key", b"_url"),
        pattern(rb"(?<![A-Za-z0-9_])(?:" + _BY_NAME + rb")" + _IS + _VALUE),
    ),
)
"""The kind of secret; what stands in each of them, in lower case, and is looked for first; and its form."""

_PARTS = tuple(dict.fromkeys(part.decode() for _, parts, _ in FORMS for part in parts))
"""In lower case, what stands in whatever has a form of a secret; "key" stands in a private key's frame."""

_SECRET_KEY = pattern(rb"(?i:[\w.-]*(?:" + _ANY_CASE + rb"))|" + _BY_NAME + rb"|" + _COOKIE)
_PAIR = pattern(rb"\"(?:" + _SECRET_KEY.pattern + rb")\"\s*,\s*\"")
"""In JSON, a name and then its value: a header of HTTP, or an option."""

_BEGIN = pattern(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----")
_END = pattern(rb"-----END [A-Z ]*PRIVATE KEY-----")


def is_secret_name(name: str) -> bool:
    """Whether a variable of that name holds a secret."""
    return any(fnmatchcase(name.upper(), pattern) for pattern in NAMES)


@dataclass(slots=True, kw_only=True)
class Redactor:
    """Takes secrets out of the lines of one file; ``told`` gets the kind of each."""

    told: Callable[[str], None]
    _in_key: bool = field(default=False, init=False)

    def redact(self, line: bytes) -> bytes:
        """The line without what looks like a secret; of a private key in many lines, only the frame stays."""
        if line.lstrip()[:1] in (b"{", b"["):
            whole = self._redact_json_line(line)
            if whole is not None:
                return whole
        return self._redact_text(self._take_keys(line))

    def redact_json(self, data: Json, name: str = "") -> Json:
        """The same structure with secrets taken out of its strings; ``name``: the key that it stands under."""
        if isinstance(data, str):
            told = _SECRET_KEY.fullmatch(name.encode("utf-8", "replace")) and data.encode("utf-8", "replace") != GONE
            if told and data and data.lower().encode("utf-8", "replace") not in _WORDS:
                self.told("a password or key")
                return GONE.decode()
            return _redact_lines(data, self.told)
        if isinstance(data, Mapping):
            return {_redact_lines(key, self.told): self.redact_json(value, key) for key, value in data.items()}
        if isinstance(data, list | tuple):
            names = (name, *(_name_next(value, name, of=len(data)) for value in data))
            return [self.redact_json(value, told) for value, told in zip(data, names, strict=False)]
        return data

    def _redact_json_line(self, line: bytes) -> bytes | None:
        """The line as JSON again; None where it is none. Most lines hold nothing, and are not parsed."""
        if Redactor(told=_ignore).looks_clean(line):
            return line
        try:
            data = json.loads(line)
            redacted = self.redact_json(data)
        except (ValueError, RecursionError):
            return None
        if redacted == data:
            return line
        ending = line[len(line.rstrip(b"\r\n")) :]
        return json.dumps(redacted, ensure_ascii=False).encode("utf-8", "backslashreplace") + ending

    def looks_clean(self, line: bytes) -> bool:
        """Whether nothing in the line has the form of a secret."""
        return _PAIR.search(line) is None and self._redact_text(self._take_keys(line)) == line

    def _redact_text(self, line: bytes) -> bytes:
        lowered = line.lower()
        for kind, parts, form in FORMS:
            if any(part in lowered for part in parts):
                line = form.sub(partial(self._replace, kind), line)
        return line

    def _take_keys(self, line: bytes) -> bytes:
        kept, at = b"", 0
        while True:
            if not self._in_key:
                begin = _BEGIN.search(line, at)
                if begin is None:
                    return kept + line[at:]
                self.told("a private key")
                kept, at, self._in_key = kept + line[at : begin.end()], begin.end(), True
            end = _END.search(line, at)
            if end is None:
                bare = line[at:].rstrip(b"\r\n")
                return kept + (GONE if bare else b"") + line[at + len(bare) :]
            kept, at, self._in_key = kept + GONE, end.start(), False

    def _replace(self, kind: str, found: re.Match[bytes]) -> bytes:
        value = found["value"]
        quote = re.match(rb"""b?\\?["']""", value)
        bare = value[quote.end() :] if quote is not None else value
        if not bare or bare == GONE or bare.lower() in _WORDS or bare.replace(b".", b"").isdigit():
            return found[0]
        self.told(kind)
        start = found.start("value") - found.start() + (quote.end() if quote is not None else 0)
        return found[0][:start] + GONE + found[0][found.end("value") - found.start() :]


def _name_next(value: Json, name: str, *, of: int) -> str:
    """What the next value of a list stands under: an option before it, its name in a pair, else what the list does."""
    if not isinstance(value, str) or not (of == 2 or value.startswith("-")):  # noqa: PLR2004 - a name and its value
        return name
    return value if _SECRET_KEY.fullmatch(value.encode("utf-8", "replace")) else name


def redact(text: str) -> str:
    """A text without what looks like a secret."""
    lowered = text.lower()
    for part in _PARTS:  # most texts hold nothing, and to search them by all expressions takes ten times as long
        if part in lowered:
            return _redact_lines(text, _ignore)
    return text


def _redact_lines(text: str, told: Callable[[str], None]) -> str:
    redactor = Redactor(told=told)
    lines = text.encode("utf-8", "surrogatepass").splitlines(keepends=True)
    return b"".join(map(redactor.redact, lines)).decode("utf-8", "surrogatepass")


def _ignore(_kind: str) -> None:
    """Does nothing, for callers that do not ask what was taken out."""
