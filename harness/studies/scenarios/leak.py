"""`harness scenario leak`: one app with and without max_requests, and the memory of all processes over its requests."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from string import Template

from harness.backends import BACKENDS
from harness.core import procfs
from harness.core.errors import UsageError
from harness.core.field_kinds import at_least
from harness.core.model import Cell
from harness.core.paths import fixtures_dir
from harness.engine.options import add_run_options, make_request
from harness.engine.request import RunRequest
from harness.judge.scenarios.leak import cycle_requests
from harness.judge.scenarios.leak_words import WITH, WITHOUT
from harness.stack.workers import find_worker
from harness.studies.scenarios.runner import ScenarioPlan, repeat_arguments
from harness.watch.memory import require_memory_source
from harness.watch.progress import Progress

SUMMARY = "an app that leaks, with and without max_requests: whether the memory stays in bounds"
KINDS = ("objects", "native", "none")
LEAK_BYTES = 32768

DEFAULTS = Cell(
    spec="latest",
    workers=2,
    threads=4,
    max_requests=200,
    max_requests_jitter=40,
    connections=20,
    load_threads=2,
    duration_s=25.0,
    recycles=6,
)
"""Few workers with short lives: two idle cores drive them through enough restarts in four seconds. The duration is an
upper bound, for busy ones."""

ENOUGH_CYCLES = 10
ENOUGH_SAMPLES = 40
MOST_TIMES = 3
"""So many times the wanted requests are enough, however few samples there are: a fast machine leaks fast."""

LEAST_REQUESTS = 4000
LEAST_REQUESTS_OWN = 20_000
"""A user's own app may leak very little: the more requests, the smaller a leak can be seen."""

MOST_OF_FREE = 0.5
"""Of the machine's available memory; an app that leaks fast must not take the machine down."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """See ``scenarios.Scenario``."""
    add_run_options(parser, DEFAULTS)
    leak = parser.add_argument_group("the leak")
    leak.add_argument(
        "--leak",
        choices=KINDS,
        default=KINDS[0],
        help=f"what our app keeps: Python objects, the C library's memory, or nothing [{KINDS[0]}]",
    )
    leak.add_argument(
        "--leak-bytes", type=at_least(512), default=LEAK_BYTES, metavar="N", help="how much a request [%(default)s]"
    )
    leak.add_argument(
        "--limit-mb", type=at_least(1), metavar="N", help="say which max_requests keeps all processes below N MB"
    )


def run(options: argparse.Namespace, conduct: Callable[[ScenarioPlan], int]) -> int:
    """See ``scenarios.Scenario``.

    Raises:
        SurroundingsError: no memory can be measured here.
    """
    plan = plan_arms(options)
    require_memory_source()
    return conduct(plan)


def plan_arms(options: argparse.Namespace) -> ScenarioPlan:
    """The two arms.

    Raises:
        UsageError: no worker would restart, or the app that leaks can't run on this worker class.
    """
    request = make_request(_with_jitter(options))
    request = replace(request, cell=replace(request.cell, ledger=False))  # its memory would be taken for the app's
    _refuse(request.cell)
    own = [] if request.cell.app else [f"--leak={options.leak}", f"--leak-bytes={options.leak_bytes}"]
    own += [f"--limit-mb={options.limit_mb}"] if options.limit_mb else []
    main = replace(
        request,
        app_text=None if request.cell.app else render_app(options.leak, options.leak_bytes),
        enough=_make_enough(request.cell),
        memory=True,
    )
    return ScenarioPlan(
        name="leak",
        arms={WITHOUT: _without(main), WITH: main},
        main=WITH,
        settings={
            "leak": None if request.cell.app else options.leak,
            "leak_bytes": None if request.cell.app else options.leak_bytes,
            "limit_mb": options.limit_mb,
        },
        repeat=repeat_arguments("leak", request, *own),
    )


def _with_jitter(options: argparse.Namespace) -> argparse.Namespace:
    """Where only max_requests is given, jitter stays in proportion to it."""
    if options.max_requests is None or options.max_requests_jitter is not None:
        return options
    jitter = options.max_requests * DEFAULTS.max_requests_jitter // DEFAULTS.max_requests
    return argparse.Namespace(**{**vars(options), "max_requests_jitter": jitter})


def _refuse(cell: Cell) -> None:
    if cell.max_requests == 0:
        raise UsageError(
            what="--max-requests 0 leaves nothing to compare: the run without restarts is made anyway.",
            remedy="Give a --max-requests of 1 or more.",
        )
    if cell.max_requests_jitter > cell.max_requests:
        raise UsageError(
            what=f"--max-requests-jitter {cell.max_requests_jitter} is more than --max-requests {cell.max_requests}.",
            remedy="Raise --max-requests: a bound of which chance makes up the most is none to plan with.",
        )
    refused = BACKENDS[cell.backend].why_not(cell, memory=True)
    if refused is not None:
        raise refused
    if find_worker(cell.worker).asgi and cell.app is None:
        raise UsageError(
            what=f"The app that leaks is a WSGI app, which the {cell.worker} worker can't run.",
            remedy="Use another --worker, or bring an ASGI app of your own with --app.",
        )


def _without(request: RunRequest) -> RunRequest:
    return replace(request, cell=replace(request.cell, max_requests=0, max_requests_jitter=0))


def render_app(kind: str, leak_bytes: int) -> str:
    """The app under test: Python text."""
    template = (fixtures_dir() / "leak" / "web.py.in").read_text()
    return Template(template).substitute(kind=repr(kind), leak_bytes=leak_bytes)


def _make_enough(cell: Cell) -> Callable[[Progress], bool]:
    """Both runs end after as many requests: enough cycles of restarts, or, at once, before the memory runs out."""
    least = LEAST_REQUESTS if cell.app is None else LEAST_REQUESTS_OWN
    wanted = max(ENOUGH_CYCLES * cycle_requests(cell), least)
    most_bytes = MOST_OF_FREE * procfs.available_bytes()

    def enough(progress: Progress) -> bool:
        if progress.memory_bytes > most_bytes:
            return True
        if cell.full_duration or progress.served < wanted:
            return False
        return progress.memory_samples >= ENOUGH_SAMPLES or progress.served >= MOST_TIMES * wanted

    return enough
