from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.cli import on_github
from harness.core.findings import FindingId
from harness.core.model import Cell, Finding, Outcome, Verdict
from harness.records.stored import StoredRun
from harness.report.github import render_annotations, render_job_summary
from harness.report.repeat import repeat_command

RecordRun = Callable[..., StoredRun]


def test_one_annotation_a_finding(record_run: RecordRun) -> None:
    lines = render_annotations(record_run(), as_expected=False).splitlines()
    assert lines[0] == (
        "::error title=gunicorn 19.6.0%2C gthread worker%3A socket-deleted::at 1.27 s: the path vanished"
    )
    assert len(lines) == 2


def test_what_was_expected_for_is_only_a_notice(record_run: RecordRun) -> None:
    assert render_annotations(record_run(), as_expected=True).startswith("::notice title=")


def test_a_verdict_without_findings_is_annotated_too(record_run: RecordRun) -> None:
    verdict = Verdict(cell=Cell(spec="19.6.0"), outcome=Outcome.INCONCLUSIVE, reasons=("too few recycles",))
    assert render_annotations(record_run(verdict=verdict), as_expected=False).endswith(
        "inconclusive::too few recycles\n"
    )


def test_recorded_text_starts_no_command_and_no_markup(record_run: RecordRun) -> None:
    hostile = "50%\r\n::set-output name=x::y\n<script>|`"
    found = Finding(id=FindingId.FAILED_RESPONSES, at_s=1.0, detail=hostile)
    run = record_run(verdict=Verdict(cell=Cell(spec="19.6.0"), outcome=Outcome.VIOLATED, reasons=(), findings=(found,)))
    (line,) = render_annotations(run, as_expected=False).splitlines()
    assert line.count("::error") == 1
    assert "50%25" in line
    summary = render_job_summary(run)
    assert "<script>" not in summary
    row = next(line for line in summary.splitlines() if "failed-responses" in line)
    assert len(re.findall(r"(?<!\\)\|", row)) == 3


def test_only_actions_is_told(record_run: RecordRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page, run = tmp_path / "summary.md", record_run()
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(page))
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    on_github.tell_github(run.path, as_expected=True)
    assert not page.exists()
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    for _ in range(2):
        on_github.tell_github(run.path, as_expected=True)
    assert page.read_text().count("### gunicorn 19.6.0, gthread worker: violated") == 2


def test_a_summary_that_cannot_be_written_changes_nothing(
    record_run: RecordRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "none" / "summary.md"))
    on_github.tell_github(record_run().path, as_expected=True)
    assert "could not be written" in capsys.readouterr().err


def test_the_interpreter_is_repeated_by_its_minor_version() -> None:
    assert repeat_command(Cell(spec="19.6.0", python="3.6.15"))[-2:] == ["--python", "3.6"]
