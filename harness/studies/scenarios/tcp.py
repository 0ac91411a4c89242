"""`harness scenario tcp`: the work-around of the write-up, a port instead of a Unix socket, and both side by side."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace

from harness.core.errors import UsageError
from harness.core.model import Cell
from harness.engine.options import add_run_options, make_request
from harness.studies.scenarios.runner import ScenarioPlan, repeat_arguments

SUMMARY = "a port instead of a Unix socket: which failures does that avoid, and which remain?"
DEFAULTS = Cell(spec="19.6.0", bind="tcp")
"""The release and the settings of the original report, but for the port."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """See ``scenarios.Scenario``."""
    add_run_options(parser, DEFAULTS)


def run(options: argparse.Namespace, conduct: Callable[[ScenarioPlan], int]) -> int:
    """See ``scenarios.Scenario``."""
    return conduct(plan_arms(options))


def plan_arms(options: argparse.Namespace) -> ScenarioPlan:
    """Over the Unix socket first, then over a port, which the verdict is about.

    Raises:
        UsageError: that can't be.
    """
    request = make_request(options)
    if request.cell.bind != "tcp":
        raise UsageError(
            what="--bind unix is the other half of the comparison, and run anyway.", remedy="Leave --bind out."
        )
    if request.cell.proxy == "none":
        raise UsageError(
            what="With --proxy none the Unix socket that the port is compared with can't be reached.",
            remedy="Use a proxy, or `harness reproduce SPEC --bind tcp --proxy none` for the port alone.",
        )
    if request.cell.max_requests == 0:
        raise UsageError(
            what="--max-requests 0 restarts no worker, so there is nothing to work around.",
            remedy="Give a --max-requests of 1 or more.",
        )
    unix = replace(request, cell=replace(request.cell, bind="unix"))
    return ScenarioPlan(
        name="tcp",
        arms={"unix": unix, "tcp": request},
        main="tcp",
        settings={},
        repeat=repeat_arguments("tcp", request),
    )
