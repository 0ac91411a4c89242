"""`harness scenario leak`: the same leaking app with and without max_requests, and the memory of all processes."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace

from harness.errors import UsageError
from harness.model import Cell
from harness.options import add_run_options, make_wish
from harness.scenarios.conduct import Plan, repeat_arguments

SUMMARY = "a leaking app with and without max_requests: does the memory stay in bounds?"
DEFAULTS = Cell(
    spec="latest",
    workers=2,
    threads=4,
    max_requests=1000,
    max_requests_jitter=200,
    connections=20,
    load_threads=2,
    duration_s=5.0,
    recycles=6,
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """See ``scenarios.Scenario``."""
    add_run_options(parser, DEFAULTS)


def run(options: argparse.Namespace, conduct: Callable[[Plan], int]) -> int:
    """See ``scenarios.Scenario``."""
    return conduct(plan_arms(options))


def plan_arms(options: argparse.Namespace) -> Plan:
    """The two arms; UsageError where nothing would restart."""
    wish = make_wish(options)
    if wish.cell.max_requests == 0:
        raise UsageError(
            what="--max-requests 0 leaves nothing to compare: the arm without restarts is run anyway.",
            remedy="Give a --max-requests of 1 or more.",
        )
    without = replace(wish, cell=replace(wish.cell, max_requests=0, max_requests_jitter=0))
    return Plan(
        name="leak",
        arms={"without": without, "with": wish},
        main="with",
        settings={},
        repeat=repeat_arguments("leak", wish),
    )
