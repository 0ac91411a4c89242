from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.model import Cell, Outcome, Verdict
from harness.records.stored import StoredRun
from harness.report.as_markdown import render_markdown
from harness.report.escaping import code_span, fence, markdown_line
from harness.report.excerpts import excerpts
from harness.report.templates import environment

RecordRun = Callable[..., StoredRun]
HEADS = [
    "Type",
    "Description",
    "Steps to Reproduce",
    "Configuration",
    "Logs / Error Output",
    "Gunicorn Version",
    "Python Version",
    "Worker Class",
    "Operating System",
    "Additional Context",
    "Checklist",
]
"""The labels of .github/DISCUSSION_TEMPLATE/issue-triage.yml, to which gunicorn's issue chooser leads."""


def test_sections_are_in_the_order_of_the_bug_form(record_run: RecordRun) -> None:
    report = render_markdown(record_run())
    assert re.findall(r"^## (.*)$", report, re.MULTILINE) == HEADS
    for part in (
        "socket file deleted",
        "bottle==0.12.13",
        "reproduce.sh",
        "proxy.reverse.url",
        "FileNotFoundError",
        "failed to connect to host   [1000 times in a row]",
        "gunicorn/sock.py:123 close",
        "os.unlink(self.cfg_addr)",
        "access log: in a file of its own",
        "hide-so-reuseport (the kernel refuses it)",
        "200: 2,731, 502: 9,614",
    ):
        assert part in report, part


@pytest.mark.parametrize("outcome", [Outcome.ERROR, Outcome.UNRUNNABLE, Outcome.INCONCLUSIVE])
def test_other_verdicts_get_a_report_too(record_run: RecordRun, outcome: Outcome) -> None:
    error = {"type": "X", "what": "h2o is missing", "remedy": "install it", "log": None}
    verdict = Verdict(cell=Cell(spec="19.6.0"), outcome=outcome, reasons=("why",), error=error)
    report = render_markdown(record_run(verdict=verdict, logs={}, config={}))
    assert re.findall(r"^## (.*)$", report, re.MULTILINE) == HEADS
    assert "h2o is missing" in report
    assert "install it" in report


def test_private_names_do_not_reach_the_report(record_run: RecordRun) -> None:
    report = render_markdown(record_run(logs={"gunicorn.error.log": f"Traceback in {Path.home()}/app.py\n"}))
    assert "~/app.py" in report
    assert f"{Path.home()}/app.py" not in report


def test_a_log_cannot_leave_its_code_block(record_run: RecordRun) -> None:
    hostile = "Traceback\n```\n# not a heading\n````\n<script>x</script>\n"
    report = render_markdown(record_run(logs={"gunicorn.error.log": hostile}))
    assert "`````\nTraceback\n```\n# not a heading\n````\n<script>x</script>\n`````" in report


def test_logs_are_read_as_streams_and_bounded(record_run: RecordRun) -> None:
    noise = "".join(f"[INFO] line {number}\n" for number in range(20_000))
    log = noise + "Autorestarting worker after current request.\n" + "x" * 5000 + "\n" + noise
    run = record_run(logs={"gunicorn.error.log": log, "h2o.error.log": ""})
    (found,) = excerpts(run)
    assert found.lines[6] == "Autorestarting worker after current request."
    assert found.lines[0] == "[INFO] line 19994"
    assert found.title.endswith("from line 19995")
    assert len(found.lines) == 31
    assert max(map(len, found.lines)) < 320


@given(st.text())
def test_fenced_text_ends_where_it_should(raw: str) -> None:
    first, *inside, last = fence(raw).split("\n")
    assert first == last
    assert set(first) == {"`"}
    assert all(not re.fullmatch(rf" {{0,3}}`{{{len(first)},}}\s*", line) for line in inside)


@given(st.lists(st.text(), min_size=2, max_size=2))
def test_table_rows_keep_their_cells(cells: list[str]) -> None:
    parts: Any = environment("md").get_template("parts.md.j2").module
    *_, row = parts.table(("a", "b"), [tuple(cells)]).split("\n")
    assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", row)) == 3
    assert "<" not in row


@given(st.text())
def test_escaped_text_has_no_bare_markup(raw: str) -> None:
    bare = re.sub(r"\\[\\`*_\[\]|~#]", "", markdown_line(raw))
    assert not re.search(r"[\\`*_\[\]|~<>\n]", bare)


@given(st.text(alphabet=st.sampled_from("`a \n<")))
def test_code_in_a_line_ends_where_it_should(raw: str) -> None:
    marks = re.match("`+", code_span(raw))
    assert marks is not None
    assert re.findall(rf"(?<!`){marks[0]}(?!`)", code_span(raw)) == [marks[0], marks[0]]
