"""`harness scenario jitter`: workers that take a while to boot, driven evenly, with max_requests_jitter and without."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from string import Template

from harness.core.errors import UsageError
from harness.core.field_kinds import at_least, seconds
from harness.core.model import Cell
from harness.core.paths import fixtures_dir
from harness.engine.options import add_run_options, make_request
from harness.engine.request import RunRequest
from harness.judge.scenarios.simulation import Spread
from harness.stack.workers import WORKERS
from harness.studies.scenarios import forecasting
from harness.studies.scenarios.runner import ScenarioPlan, repeat_arguments

SUMMARY = "max_requests_jitter against none: how many workers are away at once?"
DEFAULTS = Cell(
    spec="latest",
    worker="sync",
    threads=1,
    workers=64,
    max_requests=36,
    max_requests_jitter=36,
    load_threads=2,
    connections=64,
    recycles=128,
    duration_s=60.0,
)
"""The write-up's own numbers. With other workers, connections and recycles follow them: see ``fit_defaults``."""

LIVES = 2
"""Restarts of each worker that are enough: the first ones come together, later ones are already spread a little."""

LEAST_RECYCLES = 20
"""With fewer, the limits that were drawn are too few for a test."""

MOST_WORKERS = 256
"""More can be simulated: each is a process of some 20 MB, and two cores boot a few dozen a second."""

LONGEST_BOOT_S = 15.0
"""gunicorn's timeout is 30 s, and the harness waits 20 s for the first answer."""

DRIVEN = tuple(name for name, worker in WORKERS.items() if worker.bounded)
"""Worker classes that take no more requests than they have threads, so that busy clients drive all of them alike."""

BOOT_S = 1.0
SERVICE_S = 0.15
SLOW_S = 0.5
MOST_AWAY = 0.5


def add_options(parser: argparse.ArgumentParser) -> None:
    """See ``scenarios.Scenario``."""
    add_run_options(parser, DEFAULTS)
    group = parser.add_argument_group("the scenario")
    group.add_argument("--boot-s", type=seconds, metavar="S", help=f"how long the app takes to import [{BOOT_S:g}]")
    group.add_argument("--service-s", type=seconds, metavar="S", help=f"how long a request takes [{SERVICE_S:g}]")
    group.add_argument(
        "--most-away",
        "--bound",
        type=share,
        default=MOST_AWAY,
        metavar="SHARE",
        help=f"the share of the workers that may be away at once, such as 25%% [{MOST_AWAY:.0%}]".replace("%]", "%%]"),
    )
    group.add_argument(
        "--slow-s", type=seconds, default=SLOW_S, metavar="S", help="an answer that takes longer is slow [%(default)g]"
    )
    group.add_argument(
        "--compare",
        type=jitters,
        default=(0,),
        metavar="N[,N]",
        help="the jitters to measure beside --max-requests-jitter [0]",
    )
    group = parser.add_argument_group("the simulation")
    group.add_argument(
        "--simulate",
        action="store_true",
        help="no server: what a model of gunicorn predicts, and the jitter you need; --rate is of all requests, "
        "else they are as many as can be served",
    )
    group.add_argument("--spread", choices=[spread.value for spread in Spread], help="over the workers [even]")
    group.add_argument("--lives", type=at_least(1), metavar="N", help=f"lives of each worker [{forecasting.LIVES}]")
    group.add_argument("--seed", type=at_least(0), metavar="N", help="of the random numbers [0]")


def run(options: argparse.Namespace, conduct: Callable[[ScenarioPlan], int]) -> int:
    """See ``scenarios.Scenario``."""
    fit_defaults(options)
    rate_per_s, options.rate_per_s = (
        options.rate_per_s,
        None,
    )  # in a run, it is an option of a load that keeps no worker busy
    request = make_request(options)
    refuse_contradictions(request.cell, options)
    if options.simulate:
        return forecasting.answer(request.cell, options, rate_per_s=rate_per_s)
    if rate_per_s is not None:
        raise UsageError(
            what=f"--rate {rate_per_s}: a constant rate leaves workers idle, and the kernel picks among them unevenly.",
            remedy="Leave --rate out: each worker always gets its next request. Or add --simulate.",
        )
    refuse_what_cannot_run(request.cell, options)
    return conduct(plan_arms(request, options))


def fit_defaults(options: argparse.Namespace) -> None:
    """As many busy clients as the workers can serve at a time, so that each worker always has its next request.

    That is what drives them evenly: a worker takes a request when it has finished one, however connections are spread.
    """
    workers = options.workers or DEFAULTS.workers
    at_once = workers * (options.threads or DEFAULTS.threads)
    limit = DEFAULTS.max_requests if options.max_requests is None else options.max_requests
    options.defaults = replace(
        DEFAULTS,
        connections=at_once,
        recycles=max(LEAST_RECYCLES, LIVES * workers),
        max_requests_jitter=min(DEFAULTS.max_requests_jitter, limit),  # nobody asked for more than there can be
    )
    options.boot_given, options.service_given = options.boot_s, options.service_s
    options.boot_s = BOOT_S if options.boot_s is None else options.boot_s
    options.service_s = SERVICE_S if options.service_s is None else options.service_s


def plan_arms(request: RunRequest, options: argparse.Namespace) -> ScenarioPlan:
    """The arms to compare with first, then the one that the verdict is about."""
    request = replace(
        request,
        settings=fixtures_dir() / "scenarios" / "telling.py",
        app_text=render_app(boot_s=options.boot_s, service_s=options.service_s),
        all_ready=True,
    )
    asked = request.cell.max_requests_jitter
    others = [jitter for jitter in options.compare if jitter != asked]
    return ScenarioPlan(
        name="jitter",
        arms={
            name_arm(jitter): replace(request, cell=replace(request.cell, max_requests_jitter=jitter))
            for jitter in [*others, asked]
        },
        main=name_arm(asked),
        settings={
            "boot_s": None if request.cell.app else options.boot_s,
            "service_s": options.service_s,
            "slow_s": options.slow_s,
            "most_away": options.most_away,
        },
        repeat=repeat_arguments("jitter", replace(request, settings=None), *own_arguments(options)),
    )


def name_arm(jitter: int) -> str:
    """The name of an arm, which is also part of its folder's."""
    return f"jitter-{jitter}"


def render_app(*, boot_s: float, service_s: float) -> str:
    """The app that sleeps for so long when it is imported, and at each request."""
    template = (fixtures_dir() / "scenarios" / "slow.py.in").read_text()
    return Template(template).substitute(boot_s=repr(boot_s), service_s=repr(service_s))


def own_arguments(options: argparse.Namespace) -> tuple[str, ...]:
    """The scenario's own options as they were meant."""
    return (
        *(() if options.app else (f"--boot-s={options.boot_s:g}", f"--service-s={options.service_s:g}")),
        f"--slow-s={options.slow_s:g}",
        f"--most-away={options.most_away:.6g}",
        f"--compare={','.join(map(str, options.compare))}",
    )


def refuse_contradictions(cell: Cell, options: argparse.Namespace) -> None:
    """Refuse settings that contradict each other, with a server or without.

    Raises:
        UsageError: they do.
    """
    if cell.max_requests == 0:
        raise UsageError(
            what="--max-requests 0 restarts no worker, so none is ever away.",
            remedy="Give a --max-requests of 1 or more.",
        )
    most = max(cell.max_requests_jitter, *options.compare)
    if most > cell.max_requests:
        raise UsageError(
            what=f"A jitter of {most} is above --max-requests {cell.max_requests}: "
            "some workers would serve more than twice as many requests as others.",
            remedy=f"Use a jitter of at most {cell.max_requests}, or raise --max-requests.",
        )


def refuse_what_cannot_run(cell: Cell, options: argparse.Namespace) -> None:
    """Refuse settings that can be simulated, but not run.

    Raises:
        UsageError: they can't be run.
    """
    for name in ("spread", "lives", "seed"):
        if getattr(options, name) is not None:
            raise UsageError(
                what=f"--{name} is an option of the simulation; a real run has real clients.",
                remedy=f"Add --simulate, or leave --{name} out.",
            )
    if cell.workers > MOST_WORKERS:
        raise UsageError(
            what=f"{cell.workers} workers are more than the {MOST_WORKERS} that are started here.",
            remedy="Add --simulate: it needs no server.",
        )
    if options.boot_s > LONGEST_BOOT_S:
        raise UsageError(
            what=f"--boot-s {options.boot_s:g} is more than {LONGEST_BOOT_S:g} s: gunicorn kills a worker that says "
            "nothing for 30 s (timeout), and the harness waits 20 s for the first answer.",
            remedy="Use a shorter boot, or --simulate.",
        )
    if cell.worker not in DRIVEN:
        raise UsageError(
            what=f"--worker {cell.worker} takes any number of requests at a time, so that they can't be spread evenly.",
            remedy=f"Use one of: {', '.join(DRIVEN)}.",
        )
    if options.settings is not None:
        raise UsageError(
            what="--settings can't be used here: the scenario's own make each worker say when it is ready.",
            remedy="Leave --settings out.",
        )
    if cell.app and (options.boot_given is not None or options.service_given is not None):
        raise UsageError(
            what="--boot-s and --service-s are about the scenario's own app, not about yours.",
            remedy="Leave them out, or leave --app out.",
        )


def share(text: str) -> float:
    """A type for argparse: 25% or 0.25, above 0 and at most all."""
    number = text.removesuffix("%")
    try:
        value = float(number) / (100 if number != text else 1)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share such as 25% or 0.25")
    return value


def jitters(text: str) -> tuple[int, ...]:
    """A type for argparse: whole numbers separated by commas."""
    return tuple(dict.fromkeys(at_least(0)(part.strip()) for part in text.split(",")))
