"""What a row of the table of cell fields says, and the types that its values are checked with."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from enum import Enum

from harness.core.frozen import dataclass

LONGEST_S = 3600.0
LAST_PORT = 65535


class Kind(str, Enum):
    """The type of a field, as it is annotated."""

    TEXT = "str"
    COUNT = "int"
    SECONDS = "float"
    SWITCH = "bool"


class Section(str, Enum):
    """The groups of options in --help."""

    CELL = "the cell"
    RUN = "the run"


@dataclass(frozen=True, slots=True, kw_only=True)
class CellField:
    """One field of the cell. Name, kind and default are those of its declaration."""

    name: str = ""
    kind: Kind = Kind.TEXT
    optional: bool = False  # whether it may be None
    default: object = None  # the original report's value
    contract: int | None = None  # its position among the keys that the contract names
    flag: str | None = None  # on the command line; a switch's flag negates its default
    help: str = ""
    shown: str | None = None  # in --help, instead of the default
    section: Section = Section.CELL
    least: int = 0  # of a whole number
    most: int = 10**18
    parse: Callable[[str], object] | None = None  # a type for argparse; None is any text, or the type of the kind
    metavar: str | None = None  # a type for argparse too
    deviates: bool = False  # whether the facts name another value than the original report's
    make: bool = False  # whether make has a variable with its name
    repeated: bool = False  # whether its flag may be given again; the values are joined as lines
    plugin: str | None = None  # what the values of pytest's option --gunicorn-... are called, if it has one


def at_least(least: int, most: int = 10**18) -> Callable[[str], int]:
    """A type for argparse: a whole number not below ``least``, and not above ``most``."""

    def parse(text: str) -> int:
        if not text.isascii() or not text.isdigit() or int(text[:20]) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of {least} or more")
        if int(text[:20]) > most:
            raise argparse.ArgumentTypeError(f"{text!r} is more than {most:,}")
        return int(text)

    return parse


def seconds(text: str) -> float:
    """A type for argparse: seconds, above 0 and at most LONGEST_S."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= LONGEST_S:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0 and up to {LONGEST_S:g}")
    return value


def tcp_port(text: str) -> int:
    """A type for argparse: a TCP port."""
    number = at_least(1)(text)
    if number > LAST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port (1 to {LAST_PORT})")
    return number


def umask(text: str) -> str:
    """A type for argparse: rights that are taken away, in octal."""
    if not re.fullmatch(r"(?:0o?)?[0-7]{1,3}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no umask in octal, such as 022")
    return text


def user_name(text: str) -> str:
    """A type for argparse: a user's name or number."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no user's name")
    return text
