"""What `harness diff` compares, read from what the user names: a matrix, or a run (its folder or its attachment)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harness.core.cells import CONTRACT_KEYS
from harness.core.errors import UsageError
from harness.engine.conclusion import judge_path
from harness.records.store import load_run
from harness.studies.matrix.campaign.run_folders import read_result
from harness.studies.matrix.expectations import HOLDS
from harness.studies.matrix.report import is_matrix, load_matrix
from harness.studies.matrix.result import Agreement, CellResult, combine_runs


def load_cells(path: Path) -> tuple[CellResult, ...]:
    """The cells of a matrix; a run is a matrix of one cell.

    Raises:
        UsageError: it is neither, or damaged.
    """
    return load_matrix(path).cells if is_matrix(path) else (_load_run(path),)


def _load_run(path: Path) -> CellResult:
    with load_run(path) as stored:
        verdict = stored.verdict or judge_path(path)[1]
        try:
            run = read_result(verdict, None)
            cell = verdict["cell"]
            if not isinstance(cell, Mapping):
                raise TypeError("cell is no object")  # noqa: TRY301 - one error for every damaged verdict
        except (KeyError, TypeError, ValueError, AttributeError) as problem:
            raise UsageError(
                what=f"The verdict of {path} can't be read: {problem}.", remedy=f"Judge it again: harness judge {path}"
            ) from problem
    return CellResult(
        name=path.name,
        spec=str(cell.get("spec") or cell.get("gunicorn")),
        cell={key: cell.get(key) for key in (*CONTRACT_KEYS, "disturb")},
        runs=(run,),
        folded=combine_runs([run]),
        expected=HOLDS,
        agreement=Agreement.UNDECIDED,
    )
