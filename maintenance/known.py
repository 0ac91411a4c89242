"""What the stored tables and bisections show, made small enough to be packed: ``python -m maintenance.known``."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from packaging.version import Version

from harness.disturb import RECYCLE
from harness.studies.matrix.rates import JUDGED
from harness.studies.matrix.result import UNDECIDED, CellResult
from harness.studies.matrix.safety import list_hardly_seen
from maintenance.site.tables import list_cells, load_matrices

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "harness" / "report" / "known" / "rates.json"
BISECTS = TARGET.with_name("bisects.json")


def render_rates() -> str:
    """One line a cell: what was seen in how many runs, and what was lost; of several tables the one with most runs."""
    cells: dict[tuple[str, ...], CellResult] = {}
    for cell in list_cells(list(load_matrices().values())):
        key = (cell.spec, cell.worker, cell.proxy, str(cell.cell["bind"]))
        if cell.disturb == RECYCLE and (key not in cells or len(cell.runs) > len(cells[key].runs)):
            cells[key] = cell
    by_date = sorted(cells.items(), key=lambda item: (item[1].released or "", Version(item[0][0])))
    lines = ",\n".join(json.dumps(_summarise(key, cell)) for key, cell in by_date)
    return f'{{"schema": 1, "cells": [\n{lines}\n]}}\n'


def _summarise(key: tuple[str, ...], cell: CellResult) -> dict[str, Any]:
    runs = [run for run in cell.runs if run.outcome in JUDGED]
    return {
        "release": key[0],
        "worker": key[1],
        "proxy": key[2],
        "bind": key[3],
        "released": cell.released,
        "verdict": cell.folded.outcome.value,
        "runs": [[run.recycles or 0, run.requests or 0, run.failed or 0] for run in runs],
        "seen": dict(Counter(finding for run in runs for finding in run.findings)),
        "undecided": sum(run.outcome in UNDECIDED for run in cell.runs),
        "blind": list(list_hardly_seen(cell)),
    }


def render_bisects() -> str:
    """One line a bisection that found a commit."""
    data = json.loads((ROOT / "docs" / "results" / "bisects.json").read_text(encoding="utf-8"))
    rows = [_summarise_bisect(one) for one in data["bisects"] if one["kind"] == "commit" and one["first"]]
    lines = ",\n".join(json.dumps(row) for row in rows)
    return f'{{"schema": 1, "bisects": [\n{lines}\n]}}\n'


def _summarise_bisect(one: dict[str, Any]) -> dict[str, str]:
    (bind,) = [option.partition("=")[2] for option in one["settings"] if option.startswith("--bind=")]
    return {
        "finding": one["finding"],
        "worker": one["worker"],
        "bind": bind,
        "direction": one["direction"],
        "commit": one["first"],
        "subject": one["commit"]["subject"],
        "before": one["releases"][0],
        "after": one["releases"][1],
        "proof": one["proof"]["verdict"],
    }


def main() -> None:
    """Write the files."""
    for target, content in ((TARGET, render_rates()), (BISECTS, render_bisects())):
        target.write_text(content, encoding="utf-8")
        print(target.relative_to(ROOT))


if __name__ == "__main__":
    main()
