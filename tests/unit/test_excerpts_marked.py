"""Which lines of a log's excerpt are marked, and how the doctor calls what lies about."""

from __future__ import annotations

from pathlib import Path

from harness.cli.doctor import render
from harness.core.conditions import Condition
from harness.report.excerpts import excerpts
from tests.unit.runs import deleted, write_run


def test_the_first_line_of_each_kind_is_marked_and_no_more(tmp_path: Path) -> None:
    stored = write_run(deleted(), tmp_path / "run")
    log = stored.path / "logs" / "h2o.error.log"
    lines = [f"[proxy.c] in request:/{number}:connection failed" for number in range(9)]
    log.write_text("\n".join([*lines, "[proxy.c] in request:/9:I/O error (head)", "goes on"]) + "\n")
    (shown,) = (one for one in excerpts(stored) if one.log == log.name)
    assert [text for _, text, marked in shown.numbered if marked] == [
        lines[0],
        "[proxy.c] in request:/9:I/O error (head)",
    ]


def test_what_was_left_behind_is_found_and_not_absent() -> None:
    rows = [
        Condition(
            name="left behind", ok=False, needed=False, found="3 runs", remedy="harness clean", otherwise="found"
        ),
        Condition(name="docker", ok=False, needed=False, found="no engine"),
        Condition(name="wrk", ok=False, needed=True, found="not found"),
    ]
    told = [line.split() for line in render(rows).splitlines()]
    assert [line[0] for line in told] == ["found", "->", "absent", "MISSING"]
