"""A run's timeline in one small picture: answered and failed requests, restarts, and when the socket file went.

Cut into so few steps that those of all runs of the tables can be kept: docs/results/timelines.json, made by
``make timelines ARGS=FOLDER`` from the records of a table, which are too large to be kept themselves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.judge.timeline import observe, since_load_s
from harness.records.stored import StoredRun
from harness.report.chart_data import tabulate

STEPS = 60
FILE = Path(__file__).resolve().parents[2] / "docs" / "results" / "timelines.json"
SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """The counts of each of ``STEPS`` equal parts of the time from the begin of the load to the end of the run.

    ``restarts``, ``disturbances``: the parts in which there was one (which began there), each named once. ``bands``:
    the first and the last part of each disturbance, and its name; none in timelines that were made before there were.
    """

    span_s: float
    answered: Sequence[int]
    failed: Sequence[int]
    restarts: Sequence[int]
    disturbances: Sequence[int]
    gone_s: float | None
    bands: Sequence[tuple[int, int, str]] = ()

    @property
    def peak(self) -> int:
        """The most requests of a part, 1 where there were none."""
        return max(1, *(good + bad for good, bad in zip(self.answered, self.failed, strict=True)))

    @property
    def said(self) -> str:
        """What the picture shows, for who can't see it."""
        parts = [f"{sum(self.answered):,} answered, {sum(self.failed):,} failed in {self.span_s:.3g} s"]
        parts += [] if self.gone_s is None else [f"socket file gone at {self.gone_s:.3g} s"]
        parts += [f"{name} from {self._at_s(first)} to {self._at_s(last + 1)} s" for first, last, name in self.bands]
        return ", ".join(parts)

    def _at_s(self, step: int) -> str:
        return f"{step * self.span_s / STEPS:.2g}"


def make_strip(stored: StoredRun) -> Strip:
    """The timeline of a single run's record.

    Raises:
        UsageError: the record is broken.
    """
    observations = observe(stored.cell, stored.events())
    tables = tabulate(observations)
    span_s = max(tables.to_s, 0.01)

    def step(at_s: float) -> int:
        return min(max(int(at_s / span_s * STEPS), 0), STEPS - 1)

    counts: dict[bool, list[int]] = {False: [0] * STEPS, True: [0] * STEPS}
    for row in tables.answers:
        counts[bool(row["failed"])][step(float(str(row["from"])))] += int(str(row["count"]))
    restarts = {step(float(str(row["at"]))) for row in tables.marks if row["event"] == "recycle"}
    began = {step(since_load_s(observations, one.began_ns)) for one in observations.disturbances}
    ends = [(step(float(str(row["from"]))), step(float(str(row["to"]))), row) for row in tables.disturbances]
    return Strip(
        span_s=round(span_s, 3),
        answered=counts[False],
        failed=counts[True],
        restarts=sorted(restarts),
        disturbances=sorted(began),
        gone_s=tables.gone_s,
        bands=[(first, last, str(row["name"])) for first, last, row in ends],
    )


def load_strips(path: Path = FILE) -> dict[str, Strip]:
    """Those that are kept, by the path of the run below its table's records; none where there is no file."""
    if not path.is_file():
        return {}
    data: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if data["schema"] != SCHEMA:
        raise ValueError(f"{path.name} has schema {data['schema']}, this code reads {SCHEMA}")
    return {name: Strip(**fields) for name, fields in data["runs"].items()}


def write_strips(strips: Mapping[str, Strip], path: Path = FILE) -> None:
    """Keep them, one run a line, so that a change of one is a change of a line; without bands where there are none."""
    kept = {name: asdict(strip) for name, strip in sorted(strips.items())}
    lines = [f"{json.dumps(name)}: {json.dumps(_without_empty_bands(fields))}" for name, fields in kept.items()]
    path.write_text(f'{{"schema": {SCHEMA}, "runs": {{\n' + ",\n".join(lines) + "\n}}\n", encoding="utf-8")


def _without_empty_bands(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name != "bands" or value}
