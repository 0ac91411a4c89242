"""The cell: what defines one experiment, one row a field. Whatever speaks of a field derives from its row.

The options of the command line, make's variables, the plugin's options, JSON with its checks, the command that repeats
a run, the deviations in the facts and docs/options.md are made from these rows. What a choice can be is not known here:
that are the tables of the rooms above. Which values contradict each other says ``engine.cell_rules``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import Enum

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
    default: object = None  # that of the original report
    contract: int | None = None  # its place among the keys that the contract names
    flag: str | None = None  # on the command line; a switch's flag turns its default round
    help: str = ""
    shown: str | None = None  # in --help, in the place of the default
    section: Section = Section.CELL
    least: int = 0  # of a whole number
    parse: Callable[[str], object] | None = None  # a type for argparse; None is that of the kind
    metavar: str | None = None  # likewise
    deviates: bool = False  # whether the facts name another value than the original report's
    make: bool = False  # whether make has a variable of its name
    plugin: str | None = None  # what the values of pytest's option --gunicorn-... are called, if it has one

    @property
    def metadata(self) -> Mapping[str, CellField]:
        """As a dataclass's field takes it."""
        return {"row": self}


def at_least(least: int) -> Callable[[str], int]:
    """A type for argparse: a whole number not below ``least``."""

    def parse(text: str) -> int:
        if not text.isascii() or not text.isdigit() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of {least} or more")
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


def port(text: str) -> int:
    """A type for argparse: a TCP port."""
    number = at_least(1)(text)
    if number > LAST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port (1 to {LAST_PORT})")
    return number


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Everything that defines one experiment; the defaults are those of the original report."""

    spec: str
    # The installed versions, known once the environment is built.
    gunicorn: str | None = field(default=None, metadata=CellField(contract=1).metadata)
    python: str | None = field(default=None, metadata=CellField(contract=2).metadata)
    worker: str = field(
        default="gthread",
        metadata=CellField(
            flag="--worker",
            help="worker class",
            contract=3,
            deviates=True,
            make=True,
            plugin="worker classes",
            metavar="CLASS",
        ).metadata,
    )
    threads: int = field(
        default=5,
        metadata=CellField(
            flag="--threads", help="threads per worker (gthread)", least=1, contract=8, deviates=True
        ).metadata,
    )
    workers: int = field(
        default=5,
        metadata=CellField(flag="--workers", help="worker processes", least=1, contract=7, deviates=True).metadata,
    )
    max_requests: int = field(
        default=512,
        metadata=CellField(
            flag="--max-requests", help="requests after which a worker restarts", least=0, contract=9, deviates=True
        ).metadata,
    )
    max_requests_jitter: int = field(
        default=0,
        metadata=CellField(
            flag="--max-requests-jitter",
            help="at most so many more, drawn for each worker",
            least=0,
            contract=10,
            deviates=True,
        ).metadata,
    )
    bind: str = field(
        default="unix",
        metadata=CellField(
            flag="--bind", help="what gunicorn listens on", contract=5, deviates=True, make=True
        ).metadata,
    )
    proxy: str = field(
        default="h2o",
        metadata=CellField(flag="--proxy", help="the reverse proxy", contract=4, deviates=True, make=True).metadata,
    )
    upstream_keepalive: bool = field(
        default=True,
        metadata=CellField(
            flag="--no-upstream-keepalive",
            help="the proxy opens a connection to gunicorn for each request",
            deviates=True,
        ).metadata,
    )
    load: str = field(
        default="wrk",
        metadata=CellField(
            flag="--load", help="the load generator", contract=11, make=True, shown="wrk; httpx where that can't be had"
        ).metadata,
    )
    load_threads: int = field(
        default=10, metadata=CellField(flag="--load-threads", help="the load generator's threads", least=1).metadata
    )
    # Of an open loop; None is a closed loop: the next request follows the last answer.
    rate_per_s: int | None = field(
        default=None,
        metadata=CellField(
            flag="--rate", help="requests a second at a constant rate, with --load httpx", least=1, shown="none"
        ).metadata,
    )
    connections: int = field(
        default=200,
        metadata=CellField(flag="--connections", help="its open connections", least=1, deviates=True).metadata,
    )
    duration_s: float = field(
        default=10.0,
        metadata=CellField(flag="--duration", help="upper bound of the load", section=Section.RUN).metadata,
    )
    full_duration: bool = field(
        default=False,
        metadata=CellField(
            flag="--full-duration", help="no early stop, however clear the evidence is", section=Section.RUN
        ).metadata,
    )
    recycles: int = field(
        default=30,
        metadata=CellField(
            flag="--recycles", help="how many worker restarts are enough", least=1, section=Section.RUN
        ).metadata,
    )
    backend: str = field(
        default="local",
        metadata=CellField(
            flag="--backend",
            help="where the processes live",
            contract=6,
            make=True,
            plugin="back ends of the plugin",
            metavar="NAME",
            section=Section.RUN,
        ).metadata,
    )
    port: int | None = field(
        default=None,
        metadata=CellField(
            flag="--port", help="the proxy's port; a free one if left out", least=1, section=Section.RUN, parse=port
        ).metadata,
    )
    trace: bool = field(
        default=True,
        metadata=CellField(
            flag="--no-trace", help="leave the unlink tracer out of gunicorn", section=Section.RUN
        ).metadata,
    )
    # Each request carries an id that all who see it write down.
    ledger: bool = field(
        default=True,
        metadata=CellField(
            flag="--no-ledger", help="give the requests no ids and don't account for each", section=Section.RUN
        ).metadata,
    )
    app: str | None = field(
        default=None,
        metadata=CellField(
            flag="--app", help="your own WSGI app, importable from this folder", metavar="MODULE:APP"
        ).metadata,
    )
    scenario: str | None = None  # the record of a scenario holds several runs; None is a single run


def _read_row(name: str, annotation: str, default: object, row: CellField) -> CellField:
    kind = Kind(annotation.removesuffix(" | None"))
    parse = {Kind.COUNT: at_least(row.least), Kind.SECONDS: seconds}.get(kind, str)
    metavar = {Kind.COUNT: "N", Kind.SECONDS: "S"}.get(kind)
    return replace(
        row,
        name=name,
        kind=kind,
        optional=annotation.endswith(" | None"),
        default=default,
        parse=row.parse or parse,
        metavar=row.metavar or metavar,
    )


CELL_FIELDS: Mapping[str, CellField] = {
    one.name: _read_row(one.name, str(one.type), one.default, one.metadata.get("row", CellField()))
    for one in fields(Cell)
}
"""By name, in the order of the declaration."""
