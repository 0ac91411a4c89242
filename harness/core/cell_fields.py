"""The cell: all that defines one experiment, as a table with one row for each field.

The options of the command line, make's variables, the plugin's options, JSON with its checks, the command that repeats
a run, the deviations in the facts and docs/options.md are made from these rows. The values of a choice stand in the
tables of the packages above; ``engine.cell_rules`` tells which values contradict each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import NoneType
from typing import Annotated, get_args, get_origin, get_type_hints

from harness.core.field_kinds import CellField, Kind, Section, at_least, seconds, tcp_port, umask, user_name
from harness.core.frozen import dataclass
from harness.core.request_fields import parse_header, parse_method, parse_path, parse_status


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Everything that defines one experiment; the defaults are those of the original report."""

    spec: str
    # The installed versions, known once the environment is built.
    gunicorn: Annotated[str | None, CellField(contract=1)] = None
    python: Annotated[str | None, CellField(contract=2)] = None
    worker: Annotated[
        str,
        CellField(
            flag="--worker",
            help="worker class",
            contract=3,
            deviates=True,
            make=True,
            plugin="worker classes",
            metavar="CLASS",
        ),
    ] = "gthread"
    threads: Annotated[
        int, CellField(flag="--threads", help="threads per worker (gthread)", least=1, contract=8, deviates=True)
    ] = 5
    workers: Annotated[
        int, CellField(flag="--workers", help="worker processes", least=1, contract=7, deviates=True)
    ] = 5
    max_requests: Annotated[
        int,
        CellField(
            flag="--max-requests", help="requests after which a worker restarts", least=0, contract=9, deviates=True
        ),
    ] = 512
    max_requests_jitter: Annotated[
        int,
        CellField(
            flag="--max-requests-jitter",
            help="at most so many more, drawn for each worker",
            least=0,
            contract=10,
            deviates=True,
        ),
    ] = 0
    bind: Annotated[
        str, CellField(flag="--bind", help="what gunicorn listens on", contract=5, deviates=True, make=True)
    ] = "unix"
    proxy: Annotated[str, CellField(flag="--proxy", help="the reverse proxy", contract=4, deviates=True, make=True)] = (
        "h2o"
    )
    upstream_keepalive: Annotated[
        bool,
        CellField(
            flag="--no-upstream-keepalive",
            help="the proxy opens a connection to gunicorn for each request",
            deviates=True,
        ),
    ] = True
    proxy_config: Annotated[
        str | None,
        CellField(
            flag="--proxy-config", help="your own proxy's configuration", deviates=True, metavar="FILE", shown="ours"
        ),
    ] = None
    load: Annotated[
        str,
        CellField(
            flag="--load", help="the load generator", contract=11, make=True, shown="wrk; httpx where that can't be had"
        ),
    ] = "wrk"
    load_threads: Annotated[int, CellField(flag="--load-threads", help="the load generator's threads", least=1)] = 10
    # Of an open loop; None is a closed loop: the next request follows the last answer.
    rate_per_s: Annotated[
        int | None,
        CellField(flag="--rate", help="requests a second at a constant rate, with --load httpx", least=1, shown="none"),
    ] = None
    connections: Annotated[
        int, CellField(flag="--connections", help="its open connections", least=1, deviates=True)
    ] = 200
    duration_s: Annotated[float, CellField(flag="--duration", help="upper bound of the load", section=Section.RUN)] = (
        10.0
    )
    full_duration: Annotated[
        bool,
        CellField(flag="--full-duration", help="no early stop, however clear the evidence is", section=Section.RUN),
    ] = False
    recycles: Annotated[
        int, CellField(flag="--recycles", help="how many worker restarts are enough", least=1, section=Section.RUN)
    ] = 30
    backend: Annotated[
        str,
        CellField(
            flag="--backend",
            help="where the processes live",
            contract=6,
            make=True,
            plugin="back ends of the plugin",
            metavar="NAME",
            section=Section.RUN,
        ),
    ] = "local"
    port: Annotated[
        int | None,
        CellField(
            flag="--port", help="the proxy's port; a free one if left out", least=1, section=Section.RUN, parse=tcp_port
        ),
    ] = None
    trace: Annotated[
        bool, CellField(flag="--no-trace", help="leave the unlink tracer out of gunicorn", section=Section.RUN)
    ] = True
    # Each request carries an id that all who see it write down.
    ledger: Annotated[
        bool,
        CellField(flag="--no-ledger", help="give the requests no ids and don't account for each", section=Section.RUN),
    ] = True
    path: Annotated[
        str, CellField(flag="--path", help="what every request asks for", parse=parse_path, metavar="PATH")
    ] = "/"
    method: Annotated[
        str,
        CellField(
            flag="--method",
            help="its method",
            parse=parse_method,
            metavar="METHOD",
            shown="GET; POST with --body",
        ),
    ] = "GET"
    body: Annotated[str | None, CellField(flag="--body", help="a file that every request sends", metavar="FILE")] = None
    header: Annotated[
        str | None,
        CellField(
            flag="--header",
            help="a header of every request; again for another",
            parse=parse_header,
            metavar="NAME:VALUE",
            repeated=True,
        ),
    ] = None
    expect_status: Annotated[
        int,
        CellField(
            flag="--expect-status", help="the status with which the app answers it", least=200, parse=parse_status
        ),
    ] = 200
    app: Annotated[
        str | None, CellField(flag="--app", help="your own WSGI app, importable from this folder", metavar="MODULE:APP")
    ] = None
    disturb: Annotated[
        str,
        CellField(
            flag="--disturb",
            help="what ends, replaces or moves processes under load, several with commas, or all",
            deviates=True,
            plugin="disturbances",
            metavar="NAME[,NAME]",
        ),
    ] = "recycle"
    times: Annotated[
        int, CellField(flag="--times", help="how often each disturbance is done", least=1, most=1000, plugin="numbers")
    ] = 1
    aim: Annotated[str | None, CellField(flag="--aim", help="when each begins", deviates=True, shown="any")] = None
    # Drawn for each run that has none and disturbs; the record has the one that was used.
    seed: Annotated[
        int | None, CellField(flag="--seed", help="what the times of the disturbances are drawn from", shown="drawn")
    ] = None
    recover: Annotated[
        bool,
        CellField(
            flag="--recover",
            help="find out what heals a service that stays down: waiting, HUP, USR2, or a stop and start",
        ),
    ] = False
    graceful_timeout: Annotated[
        int | None,
        CellField(
            flag="--graceful-timeout",
            help="seconds that a worker gets to finish what it has",
            least=1,
            shown="gunicorn's own, 30",
            deviates=True,
        ),
    ] = None
    timeout: Annotated[
        int | None,
        CellField(
            flag="--timeout",
            help="seconds after which a silent worker is killed",
            least=1,
            shown="30",
            deviates=True,
        ),
    ] = None
    reuse_port: Annotated[
        bool,
        CellField(
            flag="--reuse-port",
            help="set SO_REUSEPORT on the listener, which recent kernels refuse for a Unix socket",
            deviates=True,
        ),
    ] = False
    preload_app: Annotated[
        bool,
        CellField(
            flag="--preload-app", help="the arbiter loads the app, before it forks (setting preload_app)", deviates=True
        ),
    ] = False
    umask: Annotated[
        str | None,
        CellField(
            flag="--umask",
            help="of gunicorn, in octal: the rights of its socket follow from it",
            parse=umask,
            metavar="MODE",
            shown="0",
            deviates=True,
        ),
    ] = None
    user: Annotated[
        str | None,
        CellField(
            flag="--user",
            help="whom the workers of a gunicorn that stays root turn into",
            parse=user_name,
            metavar="NAME",
            shown="nobody else",
            deviates=True,
        ),
    ] = None
    control_socket: Annotated[
        bool,
        CellField(
            flag="--no-control-socket",
            help="gunicorn opens no control socket (setting control_socket_disable)",
            deviates=True,
        ),
    ] = True
    pidfile: Annotated[
        bool,
        CellField(flag="--pidfile", help="gunicorn keeps a pid file, in its HOME (setting pidfile)", deviates=True),
    ] = False
    scenario: str | None = None  # the record of a scenario holds several runs; None is a single run


def _read_row(name: str, hint: object) -> CellField:
    declared, *notes = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    row = notes[0] if notes else CellField()
    types = get_args(declared) or (declared,)
    kind = Kind(types[0].__name__)
    default = Cell.__dataclass_fields__[name].default
    row = replace(row, name=name, kind=kind, optional=NoneType in types, default=default)
    if kind is Kind.COUNT:
        return replace(row, parse=row.parse or at_least(row.least, row.most), metavar="N")
    if kind is Kind.SECONDS:
        return replace(row, parse=seconds, metavar="S")
    return row


CELL_FIELDS: Mapping[str, CellField] = {
    name: _read_row(name, hint) for name, hint in get_type_hints(Cell, include_extras=True).items()
}
"""By name, in the order of the declaration."""
