"""What Sphinx reads: docs/ as it is, and pages made of the stored results, in a folder laid out as the repository is.

So the links of the docs lead where they lead in the repository. The tables are HTML inside of Markdown, written by
templates that escape what they print.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.findings import FindingId
from harness.report.known.bisects import load_bisects
from harness.stack.workers import WORKERS
from harness.studies.advise.tables import list_tested, load_tables
from harness.studies.matrix.report import summary
from harness.studies.matrix.result import CellResult
from maintenance.safe import MAX_REQUESTS, say
from maintenance.site.records import Recorded, publish_records
from maintenance.site.strips import STEPS, load_strips
from maintenance.site.tables import list_cells, list_releases, load_matrices, map_findings, view_cells, view_edges

if TYPE_CHECKING:
    from jinja2 import Environment

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
EXTRA = "extra"
"""Below the source folder: what the site gets as it is, which are the pages of records."""

AT_ROOT = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")

MEANINGS = {
    "safe": "nothing was lost in any run",
    "unknown": "nothing was lost, but with these settings not every loss can be seen",
    "-": "this release can't run that worker class",
    "no restarts": "workers do not restart after max_requests, or much later: what an app leaks stays",
    "refused": "clients are refused for a while when workers restart",
    "**outage**": "after the first restarts nothing is answered any more, until somebody restarts gunicorn",
    "some": "some requests are lost while workers restart",
}
"""What the words of docs/safe.md mean; a rate explains itself."""


def write_pages(source: Path, records: Sequence[Path]) -> None:
    """Fill the source folder."""
    shutil.copytree(ROOT / "docs", source / "docs")
    for name in AT_ROOT:
        shutil.copy(ROOT / name, source / name)
    recorded = publish_records(records, source / EXTRA)
    matrices = load_matrices()
    cells = list_cells(list(matrices.values()))
    pages: dict[str, dict[str, object]] = {
        "index.md": {"safe": _safe_data(), "releases": list_tested()[::-1], "workers": list(WORKERS)},
        "cells.md": {"matrices": matrices, "filters": _filters(cells), **_rows(cells, recorded)},
        "edges.md": {
            "releases": list_releases(cells),
            "map": map_findings(cells),
            "edges": {name: view_edges(matrix) for name, matrix in matrices.items()},
            "commits": load_bisects(),
            "heads": summary.EDGE_HEADS,
            "undecided_heads": summary.UNDECIDED_HEADS,
        },
        "recorded.md": {"recorded": recorded},
    }
    templates = _environment()
    for name, values in pages.items():
        text = templates.get_template(f"{name}.j2").render({**values, "steps": STEPS})
        (source / name).write_text(text, encoding="utf-8")


def _rows(cells: Sequence[CellResult], recorded: Sequence[Recorded]) -> dict[str, object]:
    rows = view_cells(cells, load_strips(), recorded)
    runs = [run for row in rows for run in row.runs]
    return {"rows": rows, "runs": len(runs), "strips": sum(run.strip is not None for run in runs)}


def _filters(cells: Sequence[CellResult]) -> dict[str, list[str]]:
    """What can be chosen, by the name of the choice."""
    found = {finding for cell in cells for finding in cell.folded.findings}
    workers = {cell.worker for cell in cells}
    return {
        "releases": list_releases(cells),
        "workers": [worker for worker in WORKERS if worker in workers],
        "proxies": sorted({cell.proxy for cell in cells}),
        "disturbances": sorted({cell.disturb for cell in cells}),
        "findings": [finding.value for finding in FindingId if finding.value in found],
    }


def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters["percent"] = summary.percent
    return made


def _safe_data() -> str:
    """For the question on the first page: the words of each release, worker class and proxy, with their meaning."""
    rows = [
        [shown.release, shown.worker, shown.proxy, (said := say(shown)).replace("*", ""), _explain(said)]
        for shown in load_tables()
        if shown.bind == "unix"
    ]
    return json.dumps(rows, separators=(",", ":")).replace("<", "\\u003c")


def _explain(said: str) -> str:
    lost = f"are lost with max_requests = {MAX_REQUESTS:,} while 20 clients never pause"
    meanings = [MEANINGS.get(part, f"about {part} requests {lost}") for part in said.split(", ")]
    return "; ".join(meanings)
