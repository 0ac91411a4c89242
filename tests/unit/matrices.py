"""Cells and tables for the tests of the matrix, as short as they can be said."""

from __future__ import annotations

from datetime import date

from harness.core.model import Outcome
from harness.provision.releases import ReleaseRow
from harness.studies.matrix.document import Matrix
from harness.studies.matrix.expectations import HOLDS, compare
from harness.studies.matrix.result import CellResult, Expected, RunResult, combine_runs

DAYS = {"1.0": date(2020, 1, 1), "2.0": date(2020, 2, 1), "1.1": date(2020, 3, 1), "3.0": date(2020, 4, 1)}
"""1.1 came after 2.0: the order of the dates is not that of the numbers."""

RELEASES = tuple(ReleaseRow(version=version, date=day) for version, day in DAYS.items())


def a_run(*findings: str, outcome: Outcome | None = None, detail: str = "") -> RunResult:
    """A run that violates if it has findings, and holds if it has none, unless ``outcome`` says something else."""
    seen = outcome or (Outcome.VIOLATED if findings else Outcome.HOLDS)
    return RunResult(
        path="cell/run", outcome=seen, findings=findings, recycles=8, requests=500, failed=3, detail=detail
    )


def a_cell(
    release: str,
    *runs: RunResult,
    expected: Expected = HOLDS,
    worker: str = "sync",
    proxy: str = "h2o",
    disturb: str | None = None,
) -> CellResult:
    folded = combine_runs(runs)
    day = DAYS.get(release)
    return CellResult(
        name=f"{release}-{worker}-{proxy}",
        spec=release,
        cell={"gunicorn": release, "python": "3.10.13", "worker": worker, "proxy": proxy}
        | ({} if disturb is None else {"disturb": disturb}),
        runs=runs,
        folded=folded,
        expected=expected,
        agreement=compare(runs, expected),
        released=day.isoformat() if day else None,
    )


def a_matrix(*cells: CellResult, interrupted: bool = False) -> Matrix:
    return Matrix(
        made_utc="2026-11-20T20:00:00Z",
        harness="0.1.0",
        profile="quick",
        repeats=1,
        cells=cells,
        versions={"h2o": ("2.2.5",)},
        interrupted=interrupted,
    )
