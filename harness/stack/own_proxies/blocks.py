"""nginx's syntax: directives with arguments, and blocks of them. Read as nginx reads it, and written anew.

All is written with quotes of our own, so that nginx takes each word for what was examined here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from harness.core.frozen import dataclass
from harness.core.patterns import pattern
from harness.stack.own_proxies.changes import ReadFiles, refusal

_TOKEN = pattern(
    r"""\s+|\#[^\n]*
    |(?P<mark>[{};])
    |"(?P<double>(?:[^"\\]|\\.)*)"(?=[\s;{)]|$)
    |'(?P<single>(?:[^'\\]|\\.)*)'(?=[\s;{)]|$)
    |(?P<word>(?!["'])(?:\\.|\$\{|[^\s;{}\\])(?:\\.|\$\{[^\s;{}]*\}|\$\{|[^\s;{\\])*)""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPED = pattern(r"\\(.)", re.DOTALL)
_MEANS = {"t": "\t", "r": "\r", "n": "\n", '"': '"', "'": "'", "\\": "\\"}
_PLAIN = pattern(r"[^\s;{}\"'\\#]+")
DEEPEST = 8
"""Files that include one another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Directive:
    """One directive; ``block`` is None where it ends with a semicolon. ``place``: file and line."""

    name: str
    arguments: tuple[str, ...] = ()
    block: tuple[Directive, ...] | None = None
    place: str = ""

    @property
    def said(self) -> str:
        """Its own line."""
        words = " ".join(map(_quote, (self.name, *self.arguments)))
        return f"{words};" if self.block is None else f"{words} {{"

    def walk(self) -> Iterator[Directive]:
        """Itself and all that it holds."""
        yield self
        for one in self.block or ():
            yield from one.walk()


def render_blocks(directives: Sequence[Directive], indent: int = 0) -> str:
    """The text of directives, one a line."""
    lines = []
    for one in directives:
        lines.append(f"{'    ' * indent}{one.said}\n")
        if one.block is not None:
            lines += [render_blocks(one.block, indent + 1), f"{'    ' * indent}}}\n"]
    return "".join(lines)


def _quote(word: str) -> str:
    if _PLAIN.fullmatch(word):
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    for letter, means in (("t", "\t"), ("r", "\r"), ("n", "\n")):
        escaped = escaped.replace(means, f"\\{letter}")
    return f'"{escaped}"'


def parse_blocks(text: str, name: str, read: ReadFiles, depth: int = 0) -> list[Directive]:
    """The directives of a file, with those of the files that it includes in their place.

    Raises:
        UsageError: it is no nginx configuration, or includes what is not there.
    """
    tokens = _split(text, name)
    found = list(_parse(tokens, name, inside=False))
    return _include(found, read, depth)


_Tokens = Iterator[tuple[str, bool, int]]


def _split(text: str, name: str) -> _Tokens:
    """(token, whether it is one of ``{};``, line)."""
    at, line = 0, 1
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None or found.end() == at:
            raise refusal(f"{name}, line {line}: this is not how nginx is configured.", "Name its proxy: --proxy.")
        if found["mark"]:
            yield found["mark"], True, line
        elif (
            word := next((part for part in found.group("double", "single", "word") if part is not None), None)
        ) is not None:
            yield _ESCAPED.sub(lambda one: _MEANS.get(one[1], one[0]), word), False, line
        line += found[0].count("\n")
        at = found.end()


def _parse(tokens: _Tokens, name: str, *, inside: bool) -> Iterator[Directive]:
    words: list[str] = []
    start = 0
    for word, is_mark, line in tokens:
        if not is_mark:
            start = start if words else line
            words.append(word)
            continue
        place = f"{name}, line {start or line}"
        if word == "}":
            if words or not inside:
                raise refusal(f"{name}, line {line}: unexpected }}.", "Repair the file.")
            return
        if not words:
            raise refusal(f"{name}, line {line}: unexpected {word}.", "Repair the file.")
        block = tuple(_parse(tokens, name, inside=True)) if word == "{" else None
        yield Directive(name=words[0], arguments=tuple(words[1:]), block=block, place=place)
        words = []
    if words or inside:
        raise refusal(f"{name} ends within `{' '.join(words) or 'a block'}`.", "Repair the file.")


def _include(directives: Sequence[Directive], read: ReadFiles, depth: int) -> list[Directive]:
    result: list[Directive] = []
    for one in directives:
        if one.name == "include" and len(one.arguments) == 1 and one.block is None:
            result += _read_included(one, read, depth)
        elif one.block is not None:
            result.append(replace(one, block=tuple(_include(one.block, read, depth))))
        else:
            result.append(one)
    return result


def _read_included(one: Directive, read: ReadFiles, depth: int) -> Iterator[Directive]:
    (pattern,) = one.arguments
    files = read(pattern)
    if not files and not re.search(r"[*?\[]", pattern):
        raise refusal(f"{one.place}: {pattern} is not there to be included.", "Lay it beside the file.")
    if depth >= DEEPEST:
        raise refusal(f"{one.place}: more than {DEEPEST} files include one another.")
    for name, text in files:
        yield from parse_blocks(text, name, read, depth + 1)
