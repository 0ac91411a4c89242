"""The options of `harness bisect`, and the study that they describe."""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from harness.backends import BACKENDS
from harness.core.cell_fields import CELL_FIELDS
from harness.core.errors import HarnessError, UsageError
from harness.core.field_kinds import at_least
from harness.core.findings import FindingId
from harness.core.model import Json
from harness.core.paths import cache_dir
from harness.engine.options import add_cell_options, make_request, run_arguments
from harness.engine.request import RunRequest
from harness.studies.bisect.repository import open_repository
from harness.studies.bisect.stages import Stage, make_release_stage, make_revision_stage
from harness.studies.bisect.study import BisectPlan

DEFAULT_CONFIDENCE = 0.95
BUDGET = 500
FREE = ("backend", "port", "worker")
"""Options that say what is meant, and leave open with which settings it is looked for."""


def add_bisect_options(parser: argparse.ArgumentParser) -> None:
    """All options of `harness bisect`."""
    parser.set_defaults(defaults=None)
    parser.add_argument("good", metavar="GOOD", help="a release, or with --repo a revision: one end")
    parser.add_argument("bad", metavar="BAD", help="the other end; which is older, and which has the finding, is found")
    study = parser.add_argument_group("the search")
    study.add_argument(
        "--repo", type=Path, metavar="PATH", help="a git repository of gunicorn: then down to the commit"
    )
    study.add_argument(
        "--finding",
        choices=tuple(one.value for one in FindingId),
        metavar="ID",
        help="what to look for [the worst finding that only one end has]",
    )
    study.add_argument(
        "--confidence", type=_confidence, default=DEFAULT_CONFIDENCE, metavar="P", help="be so sure [%(default)s]"
    )
    study.add_argument("--jobs", type=at_least(1), default=1, metavar="N", help="runs side by side [%(default)s]")
    study.add_argument(
        "--budget", type=at_least(1), default=BUDGET, metavar="RUNS", help="end a search then [%(default)s]"
    )
    study.add_argument(
        "--prove",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="take the commit that was found back at one end, and put it on the other",
    )
    study.add_argument("--rerun", action="store_true", help="don't go on with what --out has, begin anew")
    _, run = add_cell_options(parser)
    run.add_argument("--out", type=Path, metavar="DIR", help="where everything goes [in the cache folder, by its ends]")
    run.add_argument("--json", action="store_true", help="print bisect.json instead of text")


def make_bisect_plan(options: argparse.Namespace, *, say: Callable[[str], None]) -> BisectPlan:
    """The study that the options describe.

    Raises:
        UsageError: they contradict each other, or name what does not exist.
    """
    named = options.profile != "default" or options.settings is not None
    named = named or any(
        getattr(options, row.name) is not None for row in CELL_FIELDS.values() if row.flag and row.name not in FREE
    )
    given = argparse.Namespace(**{**vars(options), "spec": options.good, "out": Path()})
    request = make_request(given)
    repository = None if options.repo is None else open_repository(options.repo)
    stage = make_release_stage(options.good, options.bad)
    if stage is None:
        if repository is None:
            raise UsageError(
                what=f"{options.good} and {options.bad} are not both releases that the catalogue knows.",
                remedy="Name two releases, or two revisions of a repository with --repo.",
            )
        stage = make_revision_stage(repository, options.good, options.bad)
    return BisectPlan(
        good=options.good,
        bad=options.bad,
        request=_settle_python(request, stage, say),
        stage=stage,
        repository=repository,
        finding=options.finding,
        confidence=options.confidence,
        jobs=options.jobs,
        proves=options.prove,
        budget=options.budget,
        named=named,
        folder=(options.out or _usual_folder(options, request)).resolve(),
        say=say,
    )


def describe_plan(plan: BisectPlan) -> dict[str, Json]:
    """What makes two studies the same, for the journal; more confidence, or more jobs, go on with the same runs."""
    repository = None if plan.repository is None else str(plan.repository.path)
    cell = run_arguments(replace(plan.request, out=Path()))
    return {"bisect": [plan.good, plan.bad], "repo": repository, "finding": plan.finding, "cell": list(cell)}


def _usual_folder(options: argparse.Namespace, request: RunRequest) -> Path:
    """Outside of any checkout, and the same for the same command, so that it goes on where it was ended."""
    matter = [options.good, options.bad, str(options.repo), options.finding, *run_arguments(request)]
    digest = hashlib.sha256(json.dumps(matter).encode()).hexdigest()[:8]
    name = "".join(one if one.isalnum() or one in ".-" else "_" for one in f"{options.good}-{options.bad}")[:60]
    return cache_dir() / "bisects" / f"{name}-{request.cell.worker}-{digest}"


def _settle_python(request: RunRequest, stage: Stage, say: Callable[[str], None]) -> RunRequest:
    """One Python for all runs, where the ends would run on different ones: what differs between them is no change."""
    if request.python is not None or not BACKENDS[request.cell.backend].STARTS_HERE:
        return request
    specs = (stage.spec(stage.history.new_end), stage.specs[stage.old])
    pythons = [_ask_python(request, spec, say) for spec in specs]
    if None in pythons or pythons[0] == pythons[1]:
        return request
    for python, other in zip(pythons, specs[::-1], strict=True):
        pinned = replace(request, python=python)
        if _ask_python(pinned, other, say) == python:
            say(f"all runs are made on Python {python}, on which both ends run")
            return pinned
    return request


def _ask_python(request: RunRequest, spec: str, say: Callable[[str], None]) -> str | None:
    from harness.provision.environments import prepare
    from harness.provision.spec import parse_spec

    try:
        environment = prepare(
            parse_spec(spec), python=request.python, worker=request.cell.worker, say=say, era_shims=request.era_shims
        )
    except HarnessError:
        return None
    environment.close()
    return environment.python_version


def _confidence(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.5 < value < 1:  # noqa: PLR2004 - below, a coin would do
        raise argparse.ArgumentTypeError(f"{text!r} is not between 0.5 and 1")
    return value
