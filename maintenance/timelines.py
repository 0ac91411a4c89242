"""docs/results/timelines.json, the runs of the stored tables in small, from their records: ``make timelines``.

The records of a table take hundreds of megabytes; what the site draws of them takes less than a kilobyte a run. Runs
that are in no table any more are dropped, and those whose records are not at hand stay as they are.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.core.errors import UsageError
from harness.records.store import load_run
from maintenance.site.records import find_records, name_record
from maintenance.site.strips import Strip, load_strips, make_strip, write_strips
from maintenance.site.tables import load_matrices


def collect_strips(folders: Sequence[Path], kept: dict[str, Strip], wanted: set[str]) -> dict[str, Strip]:
    """The strips of the wanted runs: those of the records in the folders, else as they were kept."""
    found = {name: strip for name, strip in kept.items() if name in wanted}
    for path in find_records(folders):
        if (name := name_record(path)) in wanted:
            try:
                with load_run(path) as stored:
                    found[name] = make_strip(stored)
            except UsageError as problem:
                print(f"{path}: {problem.what}", file=sys.stderr)
    return found


def main() -> int:
    """Parse the folders, which come in ARGS from make, and write the file."""
    parser = argparse.ArgumentParser(prog="python -m maintenance.timelines", description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER", help="the records of a matrix")
    options = parser.parse_args(sys.argv[1:] or shlex.split(os.environ.get("ARGS", "")))
    cells = (cell for matrix in load_matrices().values() for cell in matrix.cells)
    wanted = {run.path for cell in cells for run in cell.runs if run.path}
    strips = collect_strips(options.folders, load_strips(), wanted)
    write_strips(strips)
    print(f"{len(strips)} of {len(wanted)} runs of the tables have a timeline")
    return 0


if __name__ == "__main__":
    sys.exit(main())
