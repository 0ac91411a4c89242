"""What each command of the CLI does; each takes the parsed options and returns an exit code. Results go to stdout."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.matrix_reports import print_rendered, report_matrix
from harness.cli.on_github import tell_github
from harness.core import errors
from harness.core.model import Json, Outcome
from harness.core.signals import shielded
from harness.core.text import printable
from harness.engine.options import HOLDS, make_request

if TYPE_CHECKING:
    from harness.engine.run import Result
    from harness.records.stored import StoredRun

_REPRODUCE = {
    Outcome.HOLDS: errors.EXIT_OK,
    Outcome.VIOLATED: errors.EXIT_OK,
    Outcome.INCONCLUSIVE: errors.EXIT_INCONCLUSIVE,
    Outcome.ERROR: errors.EXIT_ERROR,
    Outcome.UNRUNNABLE: errors.EXIT_UNRUNNABLE,
}
_CHECK = {Outcome.HOLDS: errors.EXIT_OK, Outcome.VIOLATED: errors.EXIT_UNEXPECTED}
WIDTH = 100


def reproduce(options: argparse.Namespace) -> int:
    """`harness reproduce SPEC`: one run; 0 once a verdict was reached."""
    from harness.cli.live import live_line
    from harness.engine.run import run_cell

    request = make_request(options)
    with live_line() as say:
        result = run_cell(request, say=say)
    return _show(result, options, check=options.skips)


check = reproduce
"""`harness check SPEC`: the same run as a test; 0 holds, 1 violated, 125 anything else: ``options.skips`` says so."""


def scenario(options: argparse.Namespace) -> int:
    """`harness scenario NAME`: several runs and one verdict on them; exit codes as those of `reproduce`."""
    from harness.cli.live import live_line
    from harness.studies.scenarios import SCENARIOS
    from harness.studies.scenarios.runner import ScenarioPlan, run_plan

    def conduct(plan: ScenarioPlan) -> int:
        with live_line() as say:
            result = run_plan(plan, say=say)
        return _show(result, options, check=False)

    return SCENARIOS[options.scenario].run(options, conduct)


def _show(result: Result, options: argparse.Namespace, *, check: bool) -> int:
    """Print a finished run; return the exit code. What was stored is shown, even after a signal."""
    with shielded():
        print_run(result.path, as_json=options.json, detail=read_detail(options))
        if result.note and not options.json and not options.quiet:
            print(printable(result.note))
        if result.interrupted:
            return errors.EXIT_INTERRUPTED
        found = frozenset(finding.id.value for finding in result.verdict.findings)
        code = exit_code(result.verdict.outcome, found, check=check, expect=options.expect)
        tell_github(result.path, as_expected=code == errors.EXIT_OK)
        return code


def exit_code(outcome: Outcome, found: frozenset[str], *, check: bool, expect: frozenset[str] | None) -> int:
    """The contract's exit codes. ``expect``: what `--expect` named; it matters only where a verdict was reached."""
    reached = outcome in (Outcome.HOLDS, Outcome.VIOLATED)
    if expect is not None and reached:
        met = outcome is Outcome.HOLDS if HOLDS in expect else expect <= found
        return errors.EXIT_OK if met else errors.EXIT_UNEXPECTED
    if check:
        return _CHECK.get(outcome, errors.EXIT_CHECK_SKIP)
    return _REPRODUCE[outcome]


class Detail(Enum):
    """How much a command tells of a run on the terminal."""

    LINE = "-q"
    SHORT = ""
    WHOLE = "-v"


def read_detail(options: argparse.Namespace) -> Detail:
    """What the options ask for."""
    return Detail.LINE if options.quiet else Detail.WHOLE if options.verbose else Detail.SHORT


def print_run(path: Path, *, as_json: bool, detail: Detail = Detail.SHORT) -> None:
    """The verdict of a stored run on standard output."""
    from harness.records.store import load_run
    from harness.report.as_json import render_json

    with load_run(path) as stored:
        sys.stdout.write(render_json(stored) if as_json else _render(stored, detail))


def _render(stored: StoredRun, detail: Detail) -> str:
    from harness.report.as_short import render_line, render_short
    from harness.report.as_terminal import render_terminal

    if detail is Detail.LINE:
        return render_line(stored)
    width = shutil.get_terminal_size((WIDTH, 24)).columns
    render = render_terminal if detail is Detail.WHOLE else render_short
    return render(stored, colour=wants_colour(), width=width)


def wants_colour() -> bool:
    """Whether to use colour: only on a terminal that has colours, and never against NO_COLOR."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def judge(options: argparse.Namespace) -> int:
    """`harness judge RUN`: the verdict again, from the events alone."""
    from dataclasses import replace

    from harness.engine.conclusion import judge_path, store_reports
    from harness.records.store import RunFolder, load_run

    verdict, content = judge_path(options.run)
    with load_run(options.run) as stored:
        before = stored.verdict
        if before is None and stored.unpacked is None:
            folder = RunFolder(path=stored.path)
            folder.write_json("verdict.json", content)
            store_reports(folder)
        if options.json:
            sys.stdout.write(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
        else:
            sys.stdout.write(_render(replace(stored, verdict=content), read_detail(options)))
        _compare(before, content)
    found = frozenset(finding.id.value for finding in verdict.findings)
    return exit_code(verdict.outcome, found, check=False, expect=None)


def _compare(before: Mapping[str, Json] | None, now: Mapping[str, Json]) -> None:
    """Report where the stored verdict differs: the judge has changed since, or the record was edited."""
    changed = [key for key in now if key != "run" and before is not None and before.get(key) != now[key]]
    if changed:  # a folder may be called anything
        print(
            f"The stored verdict.json differs from this one in: {', '.join(changed)}; it was left as it is.",
            file=sys.stderr,
        )


def matrix(options: argparse.Namespace) -> int:
    """`harness matrix`: many cells; 0 where each is as the expectations file says."""
    from harness.studies.matrix.campaign.command import run_matrix

    return run_matrix(options)


def diff(options: argparse.Namespace) -> int:
    """`harness diff A B`: 1 where something is worse in B beyond chance, else 0."""
    from harness.studies.diff.command import run_diff

    return run_diff(options)


def advise(options: argparse.Namespace) -> int:
    """`harness advise [CONFIG]`: are these settings affected, and what would help; 0 once that was answered."""
    from harness.cli.live import live_line
    from harness.studies.advise.command import run_advise

    with live_line() as say:
        return run_advise(options, say)


def bisect(options: argparse.Namespace) -> int:
    """`harness bisect GOOD BAD`: which change brought or repaired a finding; 0 where one was found, else 3."""
    from harness.studies.bisect.command import run_bisect

    return run_bisect(options)


def minimise(options: argparse.Namespace) -> int:
    """`harness minimise SPEC`: the smallest case of a finding; 0 where all of it is necessary, else 3."""
    from harness.studies.minimise.command import run_minimise

    return run_minimise(options)


def report(options: argparse.Namespace) -> int:
    """`harness report RUN`: one format to standard output, several as files into the run's folder or --out."""
    from harness.records.store import RunFolder, load_run
    from harness.report.formats import FILES, FORMATS, PICTURES
    from harness.studies.matrix.report import is_matrix

    if is_matrix(options.run):
        return report_matrix(options)
    with load_run(options.run) as stored:
        if len(options.format) == 1 and options.out is None:
            print_rendered(FORMATS[options.format[0]](stored))
            return errors.EXIT_OK
        target = options.out or stored.path
        if stored.unpacked is not None and options.out is None:
            raise errors.UsageError(
                what="An attachment is never written to.", remedy="Name a folder for the reports with --out."
            )
        target.mkdir(parents=True, exist_ok=True)
        for name in sorted(options.format, key=lambda name: name not in PICTURES):  # the Markdown report shows them
            rendered = FORMATS[name](stored)
            content = rendered if isinstance(rendered, bytes) else rendered.encode("utf-8", "backslashreplace")
            print(printable(str(RunFolder(path=target).write_bytes(FILES[name], content))))
    return errors.EXIT_OK


def bundle(options: argparse.Namespace) -> int:
    """`harness bundle RUN`: prints the path of the attachment."""
    from harness.records.store import load_run
    from harness.report.attachment import bundle as make_bundle

    with load_run(options.run) as stored:
        where = make_bundle(stored, options.out, force=options.force, say=lambda line: print(line, file=sys.stderr))
        print(printable(str(where)))
    return errors.EXIT_OK


def doctor(options: argparse.Namespace) -> int:
    """`harness doctor`: 0 where a run can be made here, 4 where something that every run needs is missing."""
    from harness.cli.doctor import examine, install, render

    if options.install is not None:
        install(options.install, lambda text: print(text, file=sys.stderr))
    rows = examine()
    sys.stdout.write(render(rows))
    return errors.EXIT_OK if all(row.ok or not row.needed for row in rows) else errors.EXIT_ERROR


def clean(options: argparse.Namespace) -> int:
    """`harness clean`: removes what killed runs left behind, and unused environments."""
    from harness.cli.cleaning import sweep_all

    for line in sweep_all(everything=options.all):
        print(printable(line))
    return errors.EXIT_OK


def completion(options: argparse.Namespace) -> int:
    """`harness completion SHELL`: prints the script."""
    from harness.cli.completion import render_completion
    from harness.cli.main import make_whole_parser

    sys.stdout.write(render_completion(make_whole_parser(), options.shell))
    return errors.EXIT_OK
