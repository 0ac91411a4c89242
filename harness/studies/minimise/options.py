"""The options of `harness minimise`, and the search that they describe."""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from harness.core.field_kinds import at_least
from harness.core.findings import FindingId
from harness.core.model import Json
from harness.core.paths import cache_dir
from harness.engine.options import add_cell_options, make_request, run_arguments
from harness.studies.minimise.study import MinimisePlan

BUDGET = 300


def add_minimise_options(parser: argparse.ArgumentParser) -> None:
    """All options of `harness minimise`."""
    parser.set_defaults(defaults=None)
    parser.add_argument("spec", metavar="SPEC", help="a release (19.6.0), latest, a path, or git+file:///path@rev")
    search = parser.add_argument_group("the search")
    search.add_argument(
        "--finding",
        choices=tuple(one.value for one in FindingId),
        metavar="ID",
        help="what the smallest case must still show [the worst finding of the first run]",
    )
    search.add_argument("--jobs", type=at_least(1), default=1, metavar="N", help="runs side by side [%(default)s]")
    search.add_argument(
        "--budget", type=at_least(1), default=BUDGET, metavar="RUNS", help="end the search then [%(default)s]"
    )
    search.add_argument("--rerun", action="store_true", help="don't go on with what --out has, begin anew")
    _, run = add_cell_options(parser)
    run.add_argument("--out", type=Path, metavar="DIR", help="where everything goes [in the cache folder, by its cell]")
    run.add_argument("--json", action="store_true", help="print minimise.json instead of text")


def make_minimise_plan(options: argparse.Namespace, *, say: Callable[[str], None]) -> MinimisePlan:
    """The search that the options describe.

    Raises:
        UsageError: they contradict each other, or name what does not exist.
    """
    request = make_request(argparse.Namespace(**{**vars(options), "out": Path()}))
    plan = MinimisePlan(
        request=request,
        finding=options.finding,
        jobs=options.jobs,
        budget=options.budget,
        folder=Path(),
        say=say,
    )
    return replace(plan, folder=(options.out or _usual_folder(plan)).resolve())


def describe_plan(plan: MinimisePlan) -> dict[str, Json]:
    """What makes two searches the same, for the journal."""
    return {"minimise": list(run_arguments(replace(plan.request, out=Path()))), "finding": plan.finding}


def _usual_folder(plan: MinimisePlan) -> Path:
    """Outside of any checkout, and the same for the same command, so that it goes on where it was ended."""
    cell = plan.request.cell
    matter = json.dumps([describe_plan(plan), str(Path.cwd()) if plan.request.own is not None else ""])
    name = "".join(one if one.isalnum() or one in ".-" else "_" for one in cell.spec)[-60:]
    digest = hashlib.sha256(matter.encode()).hexdigest()[:8]
    return cache_dir() / "minimised" / f"{name}-{cell.worker}-{digest}"
