"""`harness bisect` or `harness minimise` as a process whose runs are made up: no server is started.

    python -m tests.integration.made_up_study FOLDER bisect 19.4.0 19.7.0 ...

Each run takes a moment, writes when it began and ended to FOLDER/times, and shows the finding as 19.6.0 does.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from harness.cli import main
from harness.core.cells import cell_to_json
from harness.core.locks import Lease
from harness.core.model import Cell
from harness.engine.request import RunRequest
from harness.studies.matrix.campaign.attempts import RunningAttempt
from harness.studies.sightings.runs import RunMaker

TAKES_S = 0.08
TIMES = "times"


class MadeUpRun:
    """See ``attempts.RunningAttempt``."""

    def __init__(self, request: RunRequest, *, lease: Lease, times: Path) -> None:
        self.status: int | None = None
        self._request, self._lease, self._times = request, lease, times
        self._began_s = time.monotonic()

    def ended(self) -> bool:
        if self.status is None and time.monotonic() - self._began_s >= TAKES_S:
            _write_record(self._request.out / "20261121T200000Z-made-up", self._request.cell)
            with self._times.open("a") as stream:
                stream.write(f"{self._began_s} {time.monotonic()}\n")
            self.status = 0
            self._lease.close()
        return self.status is not None

    def interrupt(self) -> None:
        self.status = 130

    def stop(self) -> None:
        self._lease.close()

    def complaint(self) -> str:
        return "none"


def shows_finding(cell: Cell) -> bool:
    return cell.spec == "19.6.0" and cell.worker == "gthread" and cell.bind == "unix" and cell.max_requests > 0


def _write_record(folder: Path, cell: Cell) -> None:
    shown = shows_finding(cell)
    described = cell_to_json(cell) | {"gunicorn": cell.spec, "python": "3.6.15"}
    content = {
        "schema": 1,
        "cell": described,
        "verdict": "violated" if shown else "holds",
        "findings": [{"id": "socket-deleted"}] if shown else [],
        "invariants": {"socket-survives": "violated" if shown else "holds"},
        "counts": {"recycles": 4},
    }
    folder.mkdir()
    (folder / "verdict.json").write_text(json.dumps(content))


def run(folder: Path, arguments: list[str]) -> int:
    def start(request: RunRequest, *, name: str, logs: Path, lease: Lease) -> RunningAttempt:
        assert (name, logs) == ("study", request.out)
        return MadeUpRun(request, lease=lease, times=folder / TIMES)

    defaults = RunMaker.__init__.__kwdefaults__
    assert defaults is not None
    defaults["start"] = start
    return main.main(arguments)


if __name__ == "__main__":
    sys.exit(run(Path(sys.argv[1]), sys.argv[2:]))
