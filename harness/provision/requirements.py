"""What a user's project needs beside gunicorn: a requirements file, read to lines that can go into an environment.

The release under test is the SPEC's, so gunicorn's own line is left out, and so is what says where packages come from:
that is the user's configuration of pip or uv. A path can't be pinned, and what lies in the project's folder can be
imported anyway.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from harness.core.errors import UsageError
from harness.core.files import open_regular
from harness.core.patterns import pattern

_INCLUDED = pattern(r"(?:-r|--requirement)[ =]?(.+)")
_COMMENT = pattern(r"(?:^|\s)#.*$")
_HASH = pattern(r"\s--hash[= ]\S+")
_UNDER_TEST = "gunicorn"


def read_requirements(path: Path) -> tuple[str, ...]:
    """The requirements of a file and of those that it includes, in their order.

    Raises:
        UsageError: a file is missing, or a line is none that can be installed here.
    """
    return tuple(_read(path, ()))


def _read(path: Path, within: tuple[Path, ...]) -> Iterator[str]:
    try:
        with open_regular(path) as stream:
            text = stream.read().decode("utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise UsageError(
            what=f"--with-requirements {path} can't be read: {problem}.", remedy="Name a requirements file."
        ) from problem
    for raw in text.replace("\\\n", " ").splitlines():
        line = _HASH.sub("", _COMMENT.sub("", raw)).strip()
        included = _INCLUDED.fullmatch(line)
        if included is not None:
            inner = (path.parent / included[1].strip()).resolve()
            if inner not in within:
                yield from _read(inner, (*within, path.resolve()))
        elif line and not line.startswith("--"):
            yield from parse_requirement(line, f"{path}: ")


def parse_requirement(line: str, where: str = "--with ") -> tuple[str, ...]:
    """One requirement, in a tuple; an empty one for gunicorn itself.

    Raises:
        UsageError: the line is no requirement with a name.
    """
    try:
        named = Requirement(line)
    except InvalidRequirement:
        raise UsageError(
            what=f"{where}{line!r} is no requirement with a name.",
            remedy="Write NAME==VERSION; a folder of yours can be imported without being installed.",
        ) from None
    return () if canonicalize_name(named.name) == _UNDER_TEST else (line,)


def without_named(pins: Sequence[str], extra: Sequence[str]) -> tuple[str, ...]:
    """The pins, without those of packages that the user names too: theirs win."""
    theirs = {canonicalize_name(Requirement(line).name) for line in extra}
    return tuple(pin for pin in pins if canonicalize_name(Requirement(pin).name) not in theirs)
