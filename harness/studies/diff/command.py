"""`harness diff A B`: from options to an exit code."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from harness.core import errors
from harness.studies.diff.comparison import Comparison, compare_cells
from harness.studies.diff.report import comparison_to_json, render_markdown, render_text
from harness.studies.diff.sources import load_cells
from harness.studies.matrix.transitions import SURE


def render_json(found: Comparison) -> str:
    """The JSON text."""
    return json.dumps(comparison_to_json(found), indent=1, ensure_ascii=False) + "\n"


FORMATS: Mapping[str, Callable[[Comparison], str]] = {"text": render_text, "md": render_markdown, "json": render_json}
"""By the name of ``--format``."""


def add_diff_options(parser: argparse.ArgumentParser) -> None:
    """All arguments of `harness diff`."""
    what = "a matrix (its folder, or its matrix.json), a run's folder or an attachment"
    parser.add_argument("one", metavar="A", type=Path, help=f"what was before: {what}")
    parser.add_argument("other", metavar="B", type=Path, help="what is to be compared with it: likewise")
    parser.add_argument("--format", choices=tuple(FORMATS), default="text", help="of the output [text]")
    parser.add_argument("--json", dest="format", action="store_const", const="json", help="the same as --format json")


def run_diff(options: argparse.Namespace) -> int:
    """Print what differs; 1 where something is worse in B beyond chance."""
    found = compare_cells(load_cells(options.one), load_cells(options.other), sure=SURE)
    if not found.pairs:
        raise errors.UsageError(
            what=f"{options.one} and {options.other} have no cell in common that both reached a verdict on.",
            remedy="Name two matrices, or two runs, of the same worker classes and proxies.",
        )
    sys.stdout.write(FORMATS[options.format](found))
    return errors.EXIT_UNEXPECTED if found.worse else errors.EXIT_OK
