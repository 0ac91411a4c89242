"""`harness diff A B`: from options to an exit code."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from harness.core import errors
from harness.core.field_kinds import seconds
from harness.core.model import Outcome
from harness.core.paths import expand_home
from harness.core.signals import shielded
from harness.core.text import printable
from harness.disturb import DISTURBANCES
from harness.engine.options import PROFILES
from harness.stack.workers import WORKERS
from harness.studies.diff.comparison import Comparison, compare_cells
from harness.studies.diff.report import comparison_to_json, render_markdown, render_text
from harness.studies.diff.sources import load_cells
from harness.studies.matrix.selection import select_names
from harness.studies.matrix.transitions import SURE


def render_json(found: Comparison) -> str:
    """The JSON text."""
    return json.dumps(comparison_to_json(found), indent=1, ensure_ascii=False) + "\n"


FORMATS: Mapping[str, Callable[[Comparison], str]] = {"text": render_text, "md": render_markdown, "json": render_json}
"""By the name of ``--format``."""


def add_diff_options(parser: argparse.ArgumentParser) -> None:
    """All arguments of `harness diff`."""
    what = "a matrix (its folder, or its matrix.json), a run's folder or an attachment; with --run a SPEC"
    parser.add_argument("one", metavar="A", help=f"what was before: {what}")
    parser.add_argument("other", metavar="B", help="what is to be compared with it: likewise")
    parser.add_argument("--format", choices=tuple(FORMATS), default="text", help="of the output [text]")
    parser.add_argument("--json", dest="format", action="store_const", const="json", help="the same as --format json")
    runs = parser.add_argument_group("two gunicorns, run side by side first")
    runs.add_argument("--run", action="store_true", help="A and B are releases, checkouts or commits: run both in turn")
    runs.add_argument("--workers", default="gthread,sync", metavar="W[,W]", help="worker classes [%(default)s]")
    runs.add_argument(
        "--disturb",
        default="recycle",
        metavar="NAME[,NAME]",
        help="disturbances, each in runs of its own [%(default)s]",
    )
    runs.add_argument("--profile", choices=tuple(PROFILES), default="quick", help="how much each run does [quick]")
    runs.add_argument("--budget", type=seconds, default=240.0, metavar="S", help="no run begins after it [240]")
    runs.add_argument("--python", metavar="PYTHON", help="interpreter for gunicorn: 3.12, python3.12 or a path")
    runs.add_argument("--out", type=Path, default=Path("runs/diff"), metavar="DIR", help="records [%(default)s]")


def run_diff(options: argparse.Namespace) -> int:
    """Print what differs; 1 where something is worse in B beyond chance."""
    if options.run:
        return _run_both(options)
    one, other = Path(options.one), Path(options.other)
    found = compare_cells(load_cells(one), load_cells(other), sure=SURE)
    if not found.pairs:
        raise errors.UsageError(
            what=f"{one} and {other} have no cell in common that both reached a verdict on.",
            remedy="Name two matrices, or two runs, of the same worker classes and proxies.",
        )
    sys.stdout.write(FORMATS[options.format](found))
    return errors.EXIT_UNEXPECTED if found.worse else errors.EXIT_OK


_CODES = {
    Outcome.HOLDS: errors.EXIT_OK,
    Outcome.VIOLATED: errors.EXIT_UNEXPECTED,
    Outcome.INCONCLUSIVE: errors.EXIT_INCONCLUSIVE,
    Outcome.UNRUNNABLE: errors.EXIT_UNRUNNABLE,
}


def _run_both(options: argparse.Namespace) -> int:
    """As `harness diff` of two matrices that are made now; 3 where it is not known whether something got worse."""
    from harness.studies.diff.ends import End
    from harness.studies.diff.for_github import SAYINGS, tell
    from harness.studies.diff.outcome import conclude_trial
    from harness.studies.diff.running import PairPlan, list_places, run_trial

    trial = PairPlan(
        specs={End.BASELINE: options.one, End.SUBJECT: options.other},
        places=list_places(
            select_names(options.workers, tuple(WORKERS), "--workers"),
            select_names(options.disturb, tuple(DISTURBANCES), "--disturb"),
        ),
        profile=options.profile,
        budget_s=options.budget,
        out=expand_home(options.out).absolute(),
        python=options.python,
    )
    _refuse_old(trial.out)
    runs = run_trial(trial, say=lambda said: print(printable(said), file=sys.stderr, flush=True))
    with shielded():
        judged = conclude_trial(runs)
        if os.environ.get("GITHUB_ACTIONS") == "true":
            tell(judged)
    sys.stdout.write(FORMATS[options.format](judged.found))
    print(f"{SAYINGS[judged.outcome]}. Everything lies in {printable(str(trial.out))}", file=sys.stderr)
    return errors.EXIT_INTERRUPTED if runs.interrupted else _CODES[judged.outcome]


def _refuse_old(out: Path) -> None:
    if (out / "runs").exists():
        raise errors.UsageError(what=f"{out} holds an earlier comparison.", remedy="Name another folder with --out.")
