"""How a recorded text becomes text of each format: never a part of its markup, and nothing that a shell runs."""

from __future__ import annotations

import html
import re
import shlex
from collections.abc import Sequence

from harness.report.fields import UNKNOWN, clean, line

_IN_SCRIPT = str.maketrans({sign: f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"})


def html_line(raw: str) -> str:
    """One line of text, also inside a quoted attribute."""
    return html.escape(line(raw))


def html_block(raw: str) -> str:
    """Text of several lines, its spaces kept."""
    return html.escape(clean(raw))


def html_script(json_text: str) -> str:
    """JSON inside a ``script`` element that no browser runs; nothing in it can end the element."""
    return json_text.translate(_IN_SCRIPT)


def markdown_line(raw: str) -> str:
    """One line of text in which Markdown and HTML mean nothing, also inside a table's cell."""
    bare = line(raw).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|~#])", r"\\\1", bare)


def code_span(raw: str) -> str:
    """Code inside a line, which its content can't end."""
    said = line(raw) or UNKNOWN
    marks = "`" * (1 + max((len(run) for run in re.findall(r"`+", said)), default=0))
    return f"{marks} {said} {marks}" if len(marks) > 1 else f"`{said}`"


def fence(raw: str, language: str = "") -> str:
    """A code block that its content can't end: its fence is longer than any run of backticks inside."""
    longest = max((len(run) for run in re.findall(r"`+", raw)), default=0)
    marks = "`" * max(3, longest + 1)
    return f"{marks}{language}\n{clean(raw).rstrip(chr(10))}\n{marks}"


def shell_word(raw: str) -> str:
    """One word of a command."""
    return shlex.quote(clean(raw))


def shell_command(argv: Sequence[str]) -> str:
    """A command, each argument one word."""
    return shlex.join(argv)


def shell_label(raw: str) -> str:
    """A word that means nothing to a shell even without quotes: other characters become dashes."""
    return re.sub(r"[^\w.+-]", "-", raw)


def here_text(raw: str) -> str:
    """The lines of a here-document whose quoted end mark is none of them."""
    return raw.rstrip("\n")
