"""wrk and its script as the load that they are, against a server that answers everything."""

from __future__ import annotations

import subprocess
from pathlib import Path

from harness.core.clock import now_ns
from harness.core.model import Cell
from harness.core.paths import fixtures_dir
from harness.stack.load import wrk
from harness.stack.load.result import BUCKET_NS, ENDING_VARIABLE, RESULT_VARIABLE, LoadReport, parse_result
from tests.integration.servers import ERROR, OK, answering, serving
from tests.integration.stubs import needs_tools

CELL = Cell(spec="stub", connections=8, load_threads=2, duration_s=1.0)


def run(url: str, folder: Path, *, ending: Path) -> LoadReport:
    """A second of load, unless it ends earlier."""
    program, result = wrk.find_program(), folder / "wrk.result"
    script = str(fixtures_dir() / "load" / wrk.SCRIPT)
    subprocess.run(
        wrk.render_command(str(program.path), CELL, url=url, script=script),
        env={**program.env, RESULT_VARIABLE: str(result), ENDING_VARIABLE: str(ending)},
        cwd=folder,
        check=True,
        capture_output=True,
        timeout=20,
    )
    report = parse_result(result.read_text())
    assert report is not None
    return report


def span_ns(report: LoadReport) -> int:
    """From the first bucket with an answer to the last."""
    return report.answers[-1].at_ns - report.answers[0].at_ns


@needs_tools
def test_every_answer_is_counted_with_its_status_and_time(tmp_path: Path) -> None:
    before_ns = now_ns()
    with serving(answering(ERROR)) as url:
        report = run(url, tmp_path, ending=tmp_path / "never")
    assert set(report.statuses) == {"500"}
    assert report.requests == sum(row.outcomes["500"] for row in report.answers) > 0
    assert before_ns - BUCKET_NS < report.answers[0].at_ns < report.answers[-1].at_ns < now_ns()
    assert span_ns(report) > 0.5e9  # it went on for its second, or nearly


@needs_tools
def test_every_thread_ends_when_it_meets_the_ending_file(tmp_path: Path) -> None:
    ending = tmp_path / "ending"
    ending.touch()
    with serving(answering(OK)) as url:
        report = run(url, tmp_path, ending=ending)
    assert 0 < report.requests <= CELL.connections * 2  # a thread looks with its first answer, and again in none
    assert span_ns(report) < 0.5e9
