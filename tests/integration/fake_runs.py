"""A matrix whose runs are made up: records appear without a server, so that resuming can be looked at closely."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from harness.core.cells import cell_to_json
from harness.core.locks import Lease
from harness.core.model import Cell, Json
from harness.engine.request import RunRequest
from harness.studies.matrix.campaign.attempts import RunningAttempt
from harness.studies.matrix.campaign.options import Campaign
from harness.studies.matrix.campaign.runner import Watch
from harness.studies.matrix.expectations import parse_expectations
from harness.studies.matrix.plan import PlannedCell
from harness.studies.matrix.result import RunResult

Story = Callable[[Cell, int], str]
"""(cell, how often it was run before) -> what becomes of the run: a finding's id, a verdict, "crash" or "killed"."""


def plan(*specs: str) -> tuple[PlannedCell, ...]:
    return tuple(
        PlannedCell(name=f"{spec}-{worker}", cell=Cell(spec=spec, worker=worker))
        for spec in specs
        for worker in ("gthread", "sync")
    )


def campaign(out: Path, *specs: str, **changes: object) -> Campaign:
    planned = plan(*specs)
    wanted: dict[str, object] = {
        "planned": planned,
        "request": RunRequest(cell=planned[0].cell, out=out),
        "out": out,
        "profile": "quick",
        "repeats": 1,
        "retries": 1,
        "jobs": 2,
        "rerun": False,
        "keep_all_logs": False,
        "merge": (),
        "expectations": parse_expectations("schema = 1", origin="none"),
    }
    return Campaign(**(wanted | changes))  # type: ignore[arg-type]


@dataclass(slots=True, kw_only=True)
class Theatre:
    """Makes the runs up; ``made`` are the cells in the order in which they were run, ``told`` what was said of them."""

    story: Story
    made: list[str] = field(default_factory=list)
    told: list[tuple[str, str]] = field(default_factory=list)
    on_start: Callable[[], None] = lambda: None

    def watch(self) -> Watch:
        def told(planned: PlannedCell, result: RunResult) -> None:
            self.told.append((planned.name, result.outcome.value))

        return Watch(told=told, tick=lambda _running, _waiting: None)

    def start(self, request: RunRequest, *, name: str, logs: Path, lease: Lease) -> RunningAttempt:
        assert logs.is_dir()
        self.on_start()
        before = sum(folder.is_dir() for folder in request.out.glob("2*"))
        fate = self.story(request.cell, self.made.count(name))
        self.made.append(name)
        status = 1 if fate in ("crash", "killed") else 0
        if fate != "crash":
            write_record(request.out / f"20261120T20{before:04}Z-{name}", request.cell, fate)
        return FakeRun(status=status, lease=lease)


@dataclass(slots=True, kw_only=True)
class FakeRun:
    """Over as soon as it is looked at."""

    lease: Lease
    status: int | None

    def ended(self) -> bool:
        self.lease.close()
        return True

    def interrupt(self) -> None:
        raise AssertionError("it had ended")

    def stop(self) -> None:
        self.lease.close()

    def complaint(self) -> str:
        return "Segmentation fault"


def write_record(folder: Path, cell: Cell, fate: str) -> None:
    """A run's folder, as far as a matrix reads it; "killed" leaves one without a verdict."""
    (folder / "logs").mkdir(parents=True)
    described = cell_to_json(cell) | {"gunicorn": cell.spec, "python": "3.6.15"}
    (folder / "cell.json").write_text(json.dumps(described))
    (folder / "facts.json").write_text("{}")
    (folder / "logs" / "gunicorn.access.log").write_text("GET /\n" * 10)
    (folder / "logs" / "gunicorn.error.log").write_text("booted\n")
    (folder / "report.html").write_text("<p>")
    interrupted = '{"at_ns": 2, "kind": "interrupted", "phase": "load"}\n' if fate == "interrupted" else ""
    (folder / "events.jsonl").write_text('{"at_ns": 1, "kind": "phase", "name": "load"}\n' + interrupted)
    if fate == "killed":
        return
    plain = {"holds", "inconclusive", "error", "unrunnable"}
    verdict = fate if fate in plain else "inconclusive" if fate == "interrupted" else "violated"
    findings: list[Json] = [{"id": fate, "at_s": 1.0, "detail": "x"}] if verdict == "violated" else []
    content: Json = {
        "schema": 1,
        "cell": described,
        "verdict": verdict,
        "findings": findings,
        "reasons": ["so it was"],
        "counts": {"recycles": 8, "requests": 500, "statuses": {"200": 497, "502": 3}, "client_errors": {"closed": 0}},
    }
    (folder / "verdict.json").write_text(json.dumps(content))
