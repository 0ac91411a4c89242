"""`harness minimise`: from options to an exit code."""

from __future__ import annotations

import argparse
import json
import sys

from harness.core import errors
from harness.records.store import RunFolder
from harness.studies.minimise.case import FOLDER as SETTINGS
from harness.studies.minimise.options import describe_plan, make_minimise_plan
from harness.studies.minimise.report import render_html, render_markdown, render_terminal
from harness.studies.minimise.result import FILE, MinimiseResult, result_to_json
from harness.studies.minimise.study import Minimisation, MinimisePlan
from harness.studies.sightings.folders import tell_interrupted, working_in


def run_minimise(options: argparse.Namespace) -> int:
    """0 where each setting that is left was shown to be necessary, else 3."""

    def say(text: str) -> None:
        print(text, file=sys.stderr if options.json else sys.stdout, flush=True)

    plan = make_minimise_plan(options, say=say)
    try:
        about, made = describe_plan(plan), (SETTINGS,)
        with working_in(plan.folder, about, rerun=options.rerun, jobs=plan.jobs, made=made) as maker:
            result = Minimisation(plan=plan, maker=maker).run()
    except KeyboardInterrupt:
        return tell_interrupted(plan.folder)
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
