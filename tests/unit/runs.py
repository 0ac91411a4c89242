"""A synthetic record as a run's folder on disk: judged by the real judge, for the tests of what shows events."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.core.cells import cell_to_json
from harness.core.events.base import encode
from harness.core.events.servers import TracedRemoval
from harness.core.model import Json
from harness.judge.story import tell
from harness.judge.verdict import judge_events
from harness.records.store import load_run
from harness.records.stored import StoredRun
from harness.report.as_json import verdict_to_json
from tests.unit.events import Record, healthy

AROUND: list[Json] = [
    {
        "first": 121,
        "lines": ["", "    def close(self):", "        os.unlink(self.cfg_addr)", "        super().close()"],
    },
    {"first": 239, "lines": ["        for s in self.sockets:", "            s.close()"]},
]
ERROR_LOG = (
    "[2026-01-01 00:00:00 +0000] [101] [INFO] Booting worker with pid: 101\n"
    "[2026-01-01 00:00:01 +0000] [101] [INFO] Autorestarting worker after current request.\n"
    "[2026-01-01 00:00:02 +0000] [101] [INFO] Worker exiting (pid: 101)\n"
)


def deleted() -> Record:
    """Worker 101 deletes the socket file at 3 s, and from then on the proxy answers 502."""
    record = healthy().gone(3.0).removal(2.999, 101).outage(3.5)
    found = next(event for event in record.events if isinstance(event, TracedRemoval))
    record.events[record.events.index(found)] = replace(found, around=tuple(AROUND))
    return record


def bursts() -> Record:
    """Some requests fail while a worker restarts; the socket file stays."""
    record = healthy().cut("answers", after_s=0.95, before_s=1.15)
    record.answers(1.0, s200=10, s502=7).answers(1.1, s200=15, s502=5)
    return record.reload_ended(statuses={"200": 965, "502": 12})


def disturbed(record: Record, **ended: Any) -> Record:
    """The record with a scale from 0.5 to 1.5 s and a reload from 2 to 4 s, whose end says so much more."""
    record.cell = replace(record.cell, disturb="scale,reload", max_requests=0)
    record.add(0.5, "disturbance", state="began", name="scale", number=1, of=2, seed=3)
    record.add(1.5, "disturbance", state="ended", name="scale", number=1)
    record.add(2.0, "disturbance", state="began", name="reload", number=2, of=2, seed=3)
    return record.add(4.0, "disturbance", state="ended", name="reload", number=2, **ended)


def write_run(
    record: Record,
    folder: Path,
    *,
    log: str = ERROR_LOG,
    facts: dict[str, Any] | None = None,
    edit: dict[str, Any] | None = None,
) -> StoredRun:
    """The record as ``folder``; ``edit`` replaces keys of its verdict.json."""
    (folder / "logs").mkdir(parents=True)
    (folder / "config").mkdir()
    (folder / "logs" / "gunicorn.error.log").write_text(log)
    (folder / "config" / "config.py").write_text("workers = 2\n")
    verdict, observations = judge_events(record.cell, record.events)
    content = verdict_to_json(verdict, run_id=folder.name, story=tell(observations)) | (edit or {})
    events = map(encode, record.events)
    (folder / "events.jsonl").write_text("".join(event + "\n" for event in events))
    for name, data in {"cell": cell_to_json(record.cell), "facts": facts or {}, "verdict": content}.items():
        (folder / f"{name}.json").write_text(json.dumps(data))
    return load_run(folder)
