"""`harness minimise`: from options to an exit code."""

from __future__ import annotations

import argparse
import json
import shutil
import sys

from harness.core import errors, locks
from harness.core.errors import UsageError
from harness.records.store import RunFolder
from harness.studies.minimise.case import FOLDER as SETTINGS
from harness.studies.minimise.options import describe_plan, make_minimise_plan
from harness.studies.minimise.report import render_html, render_markdown, render_terminal
from harness.studies.minimise.result import FILE, MinimiseResult, result_to_json
from harness.studies.minimise.study import Minimisation, MinimisePlan
from harness.studies.sightings.journal import FILE as JOURNAL
from harness.studies.sightings.journal import Journal
from harness.studies.sightings.runs import RunMaker


def run_minimise(options: argparse.Namespace) -> int:
    """0 where each setting that is left was shown to be necessary, else 3."""

    def say(text: str) -> None:
        print(text, file=sys.stderr if options.json else sys.stdout, flush=True)

    plan = make_minimise_plan(options, say=say)
    lease = locks.try_exclusive(plan.folder / ".lock")
    if lease is None:
        raise UsageError(what=f"Another search works in {plan.folder}.", remedy="Name another folder with --out.")
    try:
        if options.rerun:
            _forget(plan)
        journal = Journal(plan.folder, describe_plan(plan))
        maker = RunMaker(plan.folder, journal, watch=lambda _number, _request, _run: None)
        result = Minimisation(plan=plan, maker=maker).run()
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
    return errors.EXIT_OK if result.complete else errors.EXIT_INCONCLUSIVE


def _store(plan: MinimisePlan, result: MinimiseResult) -> None:
    folder = RunFolder(path=plan.folder)
    folder.write_json(FILE, result_to_json(result))
    folder.write_text("minimise.md", render_markdown(result))
    folder.write_text("minimise.html", render_html(result))
    if result.script is not None:
        folder.write_text("reproduce.sh", result.script.text)


def _forget(plan: MinimisePlan) -> None:
    """Remove the journal and the runs of an earlier search; the folder may hold other things."""
    (plan.folder / JOURNAL).unlink(missing_ok=True)
    for name in ("runs", SETTINGS):
        shutil.rmtree(plan.folder / name, ignore_errors=True)
