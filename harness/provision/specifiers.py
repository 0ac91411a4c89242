"""Whether a version meets a specifier (PEP 440): by a look at its numbers, or where it is more than that by packaging.

The tables of this harness are about final releases, and packaging takes as long to import as an eighth of gunicorn's
boot: a run waits for that before it starts gunicorn. The unit tests hold both against each other.
"""

from __future__ import annotations

from functools import cache
from operator import eq, ge, gt, le, lt, ne
from typing import TYPE_CHECKING, TypeAlias

from harness.core.patterns import pattern

if TYPE_CHECKING:
    from packaging.version import Version

_NUMBERS = pattern(r"[0-9]+(?:\.[0-9]+)*")
_CLAUSE = pattern(r"\s*(?:(>=|<=|==|!=|>|<)\s*([0-9]+(?:\.[0-9]+)*)|(==|!=)\s*([0-9]+(?:\.[0-9]+)*)\.\*)\s*")
_COMPARE = {">=": ge, "<=": le, "==": eq, "!=": ne, ">": gt, "<": lt}

Numbers: TypeAlias = tuple[int, ...]


def check_specifier(specifier: str) -> str:
    """The specifier, whose clauses all have to be met; ValueError where it is none."""
    if _read(specifier) is None:
        from packaging.specifiers import SpecifierSet

        SpecifierSet(specifier)
    return specifier


def as_version(text: str | None) -> Version | None:
    """The text as a PEP 440 version; None where it isn't known or isn't one."""
    from packaging.version import InvalidVersion, Version

    try:
        return Version(text) if text else None
    except InvalidVersion:
        return None


def meets(version: str | None, specifier: str) -> bool:
    """Whether a version is one of those that are meant, before its release too; False for what is no version.

    Raises:
        ValueError: the specifier is none.
    """
    clauses = _read(specifier)
    if clauses is not None and version is not None and _NUMBERS.fullmatch(version):
        return all(_holds(_split(version), *clause) for clause in clauses)
    known = as_version(version)
    if known is None:
        return False
    from packaging.specifiers import SpecifierSet

    return SpecifierSet(specifier).contains(known, prereleases=True)


@cache
def _read(specifier: str) -> tuple[tuple[str, Numbers, bool], ...] | None:
    """(comparison, numbers, whether these are only the first ones) of each clause; None where there is more to one."""
    found = [_CLAUSE.fullmatch(clause) for clause in specifier.split(",")] if specifier.strip() else []
    if None in found:
        return None
    return tuple((one[1] or one[3], _split(one[2] or one[4]), one[3] is not None) for one in found if one is not None)


@cache
def _split(version: str) -> Numbers:
    return tuple(map(int, version.split(".")))


def _holds(version: Numbers, comparison: str, numbers: Numbers, is_prefix: bool) -> bool:
    """As many numbers as the longer one has, or the prefix; what is missing is zero."""
    length = len(numbers) if is_prefix else max(len(version), len(numbers))
    mine, other = ((*one, *[0] * length)[:length] for one in (version, numbers))
    return bool(_COMPARE[comparison](mine, other))
