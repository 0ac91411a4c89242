"""`harness bisect`: from options to an exit code."""

from __future__ import annotations

import argparse
import json
import shutil
import sys

from harness.core import errors, locks
from harness.core.errors import UsageError
from harness.records.store import RunFolder
from harness.studies.bisect.options import describe_plan, make_bisect_plan
from harness.studies.bisect.report import render_html, render_markdown, render_terminal
from harness.studies.bisect.result import FILE, BisectResult, result_to_json
from harness.studies.bisect.study import Bisection, BisectPlan
from harness.studies.sightings.journal import FILE as JOURNAL
from harness.studies.sightings.journal import Journal
from harness.studies.sightings.runs import RunMaker


def run_bisect(options: argparse.Namespace) -> int:
    """0 where one change was found with the confidence that was asked for, else 3."""

    def say(text: str) -> None:
        print(text, file=sys.stderr if options.json else sys.stdout, flush=True)

    plan = make_bisect_plan(options, say=say)
    if options.rerun:
        _forget(plan)
    lease = locks.try_exclusive(plan.folder / ".lock")
    if lease is None:
        raise UsageError(what=f"Another bisection works in {plan.folder}.", remedy="Name another folder with --out.")
    try:
        journal = Journal(plan.folder, describe_plan(plan))
        maker = RunMaker(plan.folder, journal, watch=lambda _number, _request, _run: None)
        result = Bisection(plan=plan, maker=maker).run()
    except KeyboardInterrupt:
        print(f"interrupted; the same command goes on from {plan.folder}", file=sys.stderr)
        return errors.EXIT_INTERRUPTED
    finally:
        lease.close()
    _store(plan, result)
    if options.json:
        print(json.dumps(result_to_json(result), indent=1, ensure_ascii=False))
    else:
        print(f"\n{render_terminal(result)}Everything lies in {plan.folder}")
    return errors.EXIT_OK if result.first is not None else errors.EXIT_INCONCLUSIVE


def _store(plan: BisectPlan, result: BisectResult) -> None:
    folder = RunFolder(path=plan.folder)
    folder.write_json(FILE, result_to_json(result))
    folder.write_text("bisect.md", render_markdown(result))
    folder.write_text("bisect.html", render_html(result))


def _forget(plan: BisectPlan) -> None:
    """Remove the journal and the runs of an earlier study; the folder may hold other things."""
    (plan.folder / JOURNAL).unlink(missing_ok=True)
    for name in ("runs", "proof.git"):
        shutil.rmtree(plan.folder / name, ignore_errors=True)
