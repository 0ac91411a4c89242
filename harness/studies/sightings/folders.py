"""The folder of a search (`harness bisect`, `harness minimise`): one process works in it and can go on there later."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness.core import errors, locks
from harness.core.errors import UsageError
from harness.core.model import Json
from harness.studies.sightings.journal import FILE, Journal
from harness.studies.sightings.runs import AT_ONCE, RunMaker


@contextmanager
def working_in(
    folder: Path, about: Mapping[str, Json], *, rerun: bool, jobs: int = 1, made: Sequence[str] = ()
) -> Iterator[RunMaker]:
    """What makes the search's runs, as long as the folder is this process's own.

    ``rerun``: forget an earlier search first: its journal, its runs and what else it has ``made``; the folder may hold
    other things.

    Raises:
        UsageError: another process works in the folder, or it holds another search.
    """
    lease = locks.try_exclusive(folder / ".lock")
    if lease is None:
        raise UsageError(what=f"Another search works in {folder}.", remedy="Name another folder with --out.")
    try:
        if rerun:
            (folder / FILE).unlink(missing_ok=True)
            for name in ("runs", *made):
                shutil.rmtree(folder / name, ignore_errors=True)
        journal, at_once = Journal(folder, about), max(jobs, AT_ONCE)
        yield RunMaker(folder, journal, watch=lambda _number, _request, _run: None, at_once=at_once)
    finally:
        lease.close()


def tell_interrupted(folder: Path) -> int:
    """Say how an interrupted search goes on; its exit code."""
    print(f"interrupted; the same command goes on from {folder}", file=sys.stderr)
    return errors.EXIT_INTERRUPTED
