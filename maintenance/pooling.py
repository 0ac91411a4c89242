"""One table out of several: ``make pool ARGS='OUT.json ONE.json OTHER.json'``.

Cells of the same name have the same settings, so that their runs are put together, each once. Where two tables have the
same release, worker class, proxy, bind and disturbance with other settings (another profile), the one that is named
first counts. What is expected of each cell is looked up anew.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from packaging.version import Version

from harness import __version__
from harness.core.cells import cell_from_json
from harness.core.errors import EXIT_OK, EXIT_USAGE, UsageError
from harness.core.model import Outcome
from harness.disturb import DISTURBANCES
from harness.provision.releases import load_catalogue
from harness.stack.proxies import PROXIES
from harness.stack.workers import WORKERS
from harness.studies.matrix.document import Matrix, matrix_to_json
from harness.studies.matrix.expectations import Expectations, compare, load_expectations
from harness.studies.matrix.report import load_matrix
from harness.studies.matrix.result import CellResult, choose_runs, combine_runs

Place = tuple[str, str, str, str, str]


def pool(tables: Sequence[Matrix], expectations: Expectations) -> Matrix:
    """All cells of the tables, in the order of a matrix: releases, then worker classes, proxies and disturbances."""
    places = dict[Place, list[CellResult]]()
    for table in tables:
        for cell in table.cells:
            found = places.setdefault(_place(cell), [])
            if not found or found[0].name == cell.name:
                found.append(cell)
    cells = tuple(_pool_cell(places[place], expectations) for place in sorted(places, key=_order))
    programs = dict.fromkeys(name for table in tables for name in table.versions)
    return Matrix(
        made_utc=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        harness=__version__,
        profile=", ".join(dict.fromkeys(table.profile for table in tables)),
        repeats=min((len(cell.runs) for cell in cells if cell.folded.outcome is not Outcome.UNRUNNABLE), default=1),
        cells=cells,
        versions={
            name: tuple(dict.fromkeys(version for table in tables for version in table.versions.get(name, ())))
            for name in programs
        },
        sure=max(table.sure for table in tables),
    )


def _place(cell: CellResult) -> Place:
    return cell.spec, cell.worker, cell.proxy, str(cell.cell.get("bind")), cell.disturb


def _order(place: Place) -> tuple[Version, int, int, int, str]:
    spec, worker, proxy, bind, disturb = place
    names = (list(WORKERS).index(worker), list(PROXIES).index(proxy), [*DISTURBANCES].index(disturb))
    return (Version(spec), *names, bind)


def _pool_cell(found: Sequence[CellResult], expectations: Expectations) -> CellResult:
    first = found[0]
    by_path = {run.path or str(id(run)): run for cell in reversed(found) for run in cell.runs}
    every = tuple(by_path.values())
    runs, set_aside = choose_runs(every, sum(run.decided for run in every) or len(every))
    cell = cell_from_json({**first.cell, "spec": first.spec}, where=first.name)
    gap = load_catalogue().why_no_worker(first.release, first.worker)
    expected = expectations.expect(first.release, cell, gap=gap)
    return replace(
        first,
        runs=runs,
        folded=combine_runs(runs, first.blind),
        expected=expected,
        agreement=compare(runs, expected, first.blind),
        set_aside=set_aside + sum(cell.set_aside for cell in found),
    )


def main() -> int:
    """Parse the arguments, which come in ARGS from make, and write the table."""
    parser = argparse.ArgumentParser(prog="python -m maintenance.pooling", description=__doc__)
    parser.add_argument("out", type=Path, metavar="OUT", help="the file to write")
    parser.add_argument(
        "tables", type=Path, nargs="+", metavar="TABLE", help="a matrix.json, or the folder of a matrix"
    )
    options = parser.parse_args(sys.argv[1:] or shlex.split(os.environ.get("ARGS", "")))
    try:
        pooled = pool([load_matrix(path) for path in options.tables], load_expectations(None))
    except UsageError as problem:
        print(problem, file=sys.stderr)
        return EXIT_USAGE
    options.out.write_text(json.dumps(matrix_to_json(pooled), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    found = pooled.map
    runs = sum(len(cell.runs) for cell in pooled.cells)
    print(f"{len(pooled.cells)} cells, {runs} runs; {len(found.supported)} edges claimed, {len(found.undecided)} not")
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
