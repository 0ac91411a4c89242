"""The options of a run: their names and defaults (those of the original report), and the cell that they describe.

Everything that can't be meant is refused here, before anything is prepared. What a value does is not known here.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from harness.core.errors import UsageError
from harness.core.model import Cell, FindingId
from harness.engine.request import RunRequest
from harness.stack import gunicorn
from harness.stack.gunicorn import THREADED
from harness.stack.load import LOADS
from harness.stack.proxies import PROXIES

WORKERS = gunicorn.WORKERS
BINDS = ("unix", "tcp")
BACKENDS = ("local", "docker")
DEFAULTS = Cell(spec="")
PROFILES: Mapping[str, Cell] = {
    "default": DEFAULTS,
    "quick": replace(DEFAULTS, workers=2, max_requests=64, recycles=8, load_threads=2, connections=20),
}
"""Named defaults. ``quick`` has fewer and shorter worker lives, for many cells; ``python -m bench profiles`` compares
its verdicts with those of the original report's settings. Its connections are few because two workers that boot again
after 64 requests each let the report's 200 queue up beyond every client's patience."""

HOLDS = "holds"
LONGEST_S = 3600.0
LAST_PORT = 65535


def add_run_options(parser: argparse.ArgumentParser, defaults: Cell | None = None) -> None:
    """SPEC and the options that `reproduce`, `check` and the scenarios share.

    ``defaults``: a scenario's own, which take the place of the original report's and of the profiles; its ``spec`` is
    used where none is given.
    """
    parser.set_defaults(defaults=defaults)
    spec = "a release (19.6.0), latest, a path, or git+file:///path@rev"
    if defaults is None:
        parser.add_argument("spec", metavar="SPEC", help=spec)
    else:
        parser.add_argument("spec", metavar="SPEC", help=f"{spec} [%(default)s]", nargs="?", default=defaults.spec)
    cell = parser.add_argument_group("the cell")
    _choice(cell, "--worker", WORKERS, "worker class", defaults)
    _choice(cell, "--proxy", tuple(PROXIES), "the reverse proxy", defaults)
    _number(cell, "--workers", at_least(1), "worker processes", defaults)
    add_cell_options(cell, defaults)
    run = parser.add_argument_group("the run")
    add_way_options(run, defaults)
    run.add_argument("--port", type=port, metavar="N", help="the proxy's port; a free one if left out")
    run.add_argument("--out", type=Path, default=Path("runs"), metavar="DIR", help="where records go [%(default)s]")
    run.add_argument("--json", action="store_true", help="print verdict.json instead of text")
    run.add_argument(
        "--expect", type=expectation, metavar="WHAT", help="'holds', or finding ids that must all be there"
    )


def add_cell_options(cell: argparse._ArgumentGroup, defaults: Cell | None = None) -> None:
    """What else makes the cell; a matrix gives it to all its cells."""
    if defaults is None:
        cell.add_argument(
            "--profile",
            choices=tuple(PROFILES),
            default="default",
            help=f"named defaults of the options below: {', '.join(PROFILES)} [default]",
        )
    _number(cell, "--threads", at_least(1), "threads per worker (gthread)", defaults)
    _number(cell, "--max-requests", at_least(0), "requests after which a worker restarts", defaults)
    _number(cell, "--max-requests-jitter", at_least(0), "at most so many more, drawn for each worker", defaults)
    _choice(cell, "--bind", BINDS, "what gunicorn listens on", defaults)
    cell.add_argument(
        "--no-upstream-keepalive",
        dest="upstream_keepalive",
        action="store_false",
        help="the proxy opens a connection to gunicorn for each request",
    )
    cell.add_argument(
        "--load",
        choices=tuple(LOADS),
        help=f"the load generator: {', '.join(LOADS)} [{DEFAULTS.load}; httpx where that can't be had]",
    )
    _number(cell, "--load-threads", at_least(1), "the load generator's threads", defaults)
    _number(cell, "--connections", at_least(1), "its open connections", defaults)
    cell.add_argument(
        "--rate", type=at_least(1), metavar="N", help="requests a second at a constant rate, with --load httpx [none]"
    )
    cell.add_argument("--app", metavar="MODULE:APP", help="your own WSGI app, importable from this folder")
    cell.add_argument("--settings", type=Path, metavar="FILE", help="your own gunicorn settings; the cell's values win")


def add_way_options(run: argparse._ArgumentGroup, defaults: Cell | None = None) -> None:
    """How a run is made; a matrix makes all its runs so."""
    run.add_argument(
        "--duration",
        type=seconds,
        default=(defaults or DEFAULTS).duration_s,
        metavar="S",
        help="upper bound of the load [%(default)g]",
    )
    run.add_argument("--full-duration", action="store_true", help="no early stop, however clear the evidence is")
    _number(run, "--recycles", at_least(1), "how many worker restarts are enough", defaults)
    run.add_argument("--python", metavar="PYTHON", help="interpreter for gunicorn: 3.6, python3.6 or a path")
    _choice(run, "--backend", BACKENDS, "where the processes live", defaults)
    run.add_argument(
        "--no-ledger", dest="ledger", action="store_false", help="give the requests no ids and don't account for each"
    )
    run.add_argument("--no-trace", dest="trace", action="store_false", help="leave the unlink tracer out of gunicorn")


def make_wish(options: argparse.Namespace) -> RunRequest:
    """The cell and the run that the options describe; UsageError where they contradict each other."""
    profile: Cell = getattr(options, "defaults", None) or PROFILES[options.profile]

    def number(field: str) -> int:
        """As it was given, else as the profile has it."""
        value: int | None = getattr(options, field)
        default: int = getattr(profile, field)
        return default if value is None else value

    cell = Cell(
        spec=options.spec,
        worker=options.worker,
        threads=number("threads") if options.worker == THREADED else 1,
        workers=number("workers"),
        max_requests=number("max_requests"),
        max_requests_jitter=number("max_requests_jitter"),
        bind=options.bind,
        proxy=options.proxy,
        upstream_keepalive=options.upstream_keepalive,
        load=options.load or DEFAULTS.load,
        load_threads=number("load_threads"),
        connections=number("connections"),
        rate_per_s=options.rate,
        duration_s=options.duration,
        full_duration=options.full_duration,
        recycles=number("recycles"),
        backend=options.backend,
        port=options.port,
        trace=options.trace,
        ledger=options.ledger,
        app=options.app,
    )
    _refuse_contradictions(cell, options)
    return RunRequest(
        cell=cell,
        out=options.out,
        python=options.python,
        settings=options.settings,
        load_named=options.load is not None,
    )


def run_arguments(request: RunRequest) -> list[str]:
    """The arguments of `harness reproduce` that make this very wish again: the inverse of ``make_wish``."""
    cell = request.cell
    values: dict[str, object] = {
        "--worker": cell.worker,
        "--proxy": cell.proxy,
        "--workers": cell.workers,
        "--threads": cell.threads,
        "--max-requests": cell.max_requests,
        "--max-requests-jitter": cell.max_requests_jitter,
        "--bind": cell.bind,
        "--load": cell.load if request.load_named else None,
        "--load-threads": cell.load_threads,
        "--connections": cell.connections,
        "--rate": cell.rate_per_s,
        "--app": cell.app,
        "--settings": request.settings,
        "--duration": cell.duration_s,
        "--recycles": cell.recycles,
        "--python": request.python,
        "--backend": cell.backend,
        "--port": cell.port,
        "--out": request.out,
    }
    switches = {
        "--no-upstream-keepalive": not cell.upstream_keepalive,
        "--full-duration": cell.full_duration,
        "--no-trace": not cell.trace,
        "--no-ledger": not cell.ledger,
    }
    return [
        # The form --name=value keeps a value that begins with a dash from becoming an option.
        *(f"{name}={value}" for name, value in values.items() if value is not None),
        *(name for name, on in switches.items() if on),
        "--",
        cell.spec,
    ]


def _refuse_contradictions(cell: Cell, options: argparse.Namespace) -> None:
    if cell.worker != THREADED and options.threads not in (None, 1):
        raise UsageError(
            what=f"--worker {cell.worker} has one thread, not {options.threads}.",
            remedy=f"Leave --threads out, or use --worker {THREADED}.",
        )
    if cell.proxy == "none" and cell.bind == "unix" and cell.load == "wrk":
        raise UsageError(
            what="wrk can't talk to a Unix socket, and with --proxy none nobody stands between.",
            remedy="Use --bind tcp with --proxy none, a proxy with --bind unix, or --load httpx.",
        )
    if cell.rate_per_s is not None and cell.load != "httpx":
        raise UsageError(
            what=f"{cell.load} has no constant rate: it asks as fast as it is answered.",
            remedy="Use --rate with --load httpx, or leave it out.",
        )
    if cell.max_requests_jitter and not cell.max_requests:
        raise UsageError(
            what=f"--max-requests-jitter {cell.max_requests_jitter} means nothing with --max-requests 0.",
            remedy="Give a --max-requests of 1 or more.",
        )
    if cell.backend == "docker":
        _refuse_what_no_container_has(cell)
    if options.settings is not None and not options.settings.is_file():
        raise UsageError(what=f"--settings {options.settings}: there is no such file.", remedy="Name a settings file.")


def _refuse_what_no_container_has(cell: Cell) -> None:
    from harness.backends.docker.images import why_not

    refused = why_not(cell)
    if refused is not None:
        raise refused


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


def expectation(text: str) -> frozenset[str]:
    """A type for argparse: ``holds``, or finding ids separated by commas."""
    names = frozenset(name.strip() for name in text.split(",") if name.strip())
    known = {finding.value for finding in FindingId}
    unknown = sorted(names - known - {HOLDS})
    if unknown or not names or (HOLDS in names and len(names) > 1):
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither '{HOLDS}' nor finding ids; those are: {', '.join(sorted(known))}"
        )
    return names


def _choice(
    group: argparse._ArgumentGroup, name: str, choices: tuple[str, ...], what: str, defaults: Cell | None = None
) -> None:
    field = name.removeprefix("--").replace("-", "_")
    default = getattr(defaults or DEFAULTS, field)
    group.add_argument(name, choices=choices, default=default, help=f"{what}: {', '.join(choices)} [{default}]")


def _number(
    group: argparse._ArgumentGroup, name: str, parse: Callable[[str], int], what: str, defaults: Cell | None = None
) -> None:
    """Without a default of its own: what isn't given is the profile's, or the scenario's."""
    field = name.removeprefix("--").replace("-", "_")
    shown = [str(getattr(defaults or DEFAULTS, field))]
    profiles = {} if defaults else PROFILES
    shown += [f"{named}: {value}" for named, cell in profiles.items() if str(value := getattr(cell, field)) != shown[0]]
    group.add_argument(name, type=parse, default=None, metavar="N", help=f"{what} [{'; '.join(shown)}]")
