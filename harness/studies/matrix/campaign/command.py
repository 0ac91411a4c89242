"""`harness matrix`: from options to an exit code."""

from __future__ import annotations

import argparse
import sys

from harness.core import errors
from harness.core.model import Outcome
from harness.studies.matrix.campaign.live_table import watching
from harness.studies.matrix.campaign.options import choose_cells, make_campaign
from harness.studies.matrix.campaign.runner import conduct
from harness.studies.matrix.document import Matrix
from harness.studies.matrix.listing import LISTINGS
from harness.studies.matrix.report import render_json
from harness.studies.matrix.report.as_terminal import render_terminal
from harness.studies.matrix.result import Agreement


def run_matrix(options: argparse.Namespace) -> int:
    """List the cells, or run them and table the result; the exit code of the contract."""
    if options.list:
        sys.stdout.write(LISTINGS[options.format](choose_cells(options), options.shards))
        return errors.EXIT_OK
    campaign = make_campaign(options)
    with watching(quiet=options.json) as watch:
        matrix = conduct(campaign, watch)
    if options.json:
        sys.stdout.write(render_json(matrix))
    else:
        sys.stdout.write(f"\n{render_terminal(matrix)}The table lies in {campaign.out}\n")
    return exit_code(matrix)


def exit_code(matrix: Matrix) -> int:
    """0 where every cell is as expected, 1 where one is not; else as for a single run, the gravest first.

    A cell that can't be run here says nothing about the release, so it is no difference, unless it was expected to
    be unrunnable and did run.
    """
    if matrix.interrupted:
        return errors.EXIT_INTERRUPTED
    off = [cell for cell in matrix.cells if cell.agreement is not Agreement.EXPECTED]
    if any(cell.folded.outcome in (Outcome.HOLDS, Outcome.VIOLATED) for cell in off):
        return errors.EXIT_UNEXPECTED
    outcomes = {cell.folded.outcome for cell in off}
    for outcome, code in _GRAVEST_FIRST:
        if outcome in outcomes:
            return code
    return errors.EXIT_OK


_GRAVEST_FIRST = (
    (Outcome.ERROR, errors.EXIT_ERROR),
    (Outcome.UNRUNNABLE, errors.EXIT_UNRUNNABLE),
    (Outcome.INCONCLUSIVE, errors.EXIT_INCONCLUSIVE),
)
