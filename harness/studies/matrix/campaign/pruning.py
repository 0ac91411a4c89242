"""Keeps the records of a matrix small: removes files of a run that holds whose content its events have too.

These are the access logs, the files of the ledger, and the page, which `harness report RUN --format html` makes again.
What the judge reads (``events.jsonl``) stays, so that every record can be judged again.
"""

from __future__ import annotations

from pathlib import Path

NOTE = "dropped.txt"


def slim(run: Path) -> None:
    """Remove the access logs and the page of a run's folder; a note says which, and how to keep them."""
    logs = run / "logs"
    dropped = [*sorted(logs.glob("*.access.log")), *sorted(logs.glob("ledger.*.log")), *run.glob("report.html")]
    if not dropped:
        return
    lines = [f"{path.name}: {path.stat().st_size} bytes" for path in dropped]
    text = "Removed by `harness matrix` because this run holds; --keep-logs all keeps them.\n"
    (logs / NOTE).write_text(text + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    for path in dropped:
        path.unlink()
