"""`harness bisect`: from options to an exit code."""

from __future__ import annotations

import argparse
import json
import sys

from harness.core import errors
from harness.records.store import RunFolder
from harness.studies.bisect.options import describe_plan, make_bisect_plan
from harness.studies.bisect.report import render_html, render_markdown, render_terminal
from harness.studies.bisect.result import FILE, BisectResult, result_to_json
from harness.studies.bisect.study import Bisection, BisectPlan
from harness.studies.sightings.folders import tell_interrupted, working_in


def run_bisect(options: argparse.Namespace) -> int:
    """0 where one change was found with the confidence that was asked for, else 3."""

    def say(text: str) -> None:
        print(text, file=sys.stderr if options.json else sys.stdout, flush=True)

    plan = make_bisect_plan(options, say=say)
    try:
        about, made = describe_plan(plan), ("proof.git",)
        with working_in(plan.folder, about, rerun=options.rerun, jobs=plan.jobs, made=made) as maker:
            result = Bisection(plan=plan, maker=maker).run()
    except KeyboardInterrupt:
        return tell_interrupted(plan.folder)
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
