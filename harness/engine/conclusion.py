"""Judges a run as it lies on disk and writes its verdict.json: after a run, and again for ``harness judge``."""

from __future__ import annotations

from pathlib import Path

from harness.core.model import Json, Verdict
from harness.judge.record import judge_record
from harness.records.store import RunFolder, load_run
from harness.report.as_json import verdict_to_json


def judge_stored(folder: RunFolder) -> Verdict:
    """Judge the events of a run's folder, and write ``verdict.json`` in one step."""
    verdict, content = judge_path(folder.path)
    folder.write_json("verdict.json", content)
    return verdict


def store_reports(folder: RunFolder) -> None:
    """Write ``report.md``, ``report.html`` and ``reproduce.sh``.

    The script comes first, because the reports tell whether there is one.
    """
    from harness.report.as_html import render_html
    from harness.report.as_markdown import render_markdown
    from harness.report.as_script import find_untold, render_script
    from harness.report.excerpts import excerpts

    with load_run(folder.path) as stored:
        # Else nothing was ever started that could be repeated, or each arm of the scenario has a script of its own;
        # and a listener that gunicorn inherits can't be handed over by a shell.
        if "gunicorn" in stored.facts and stored.cell.scenario is None and find_untold(stored.cell) is None:
            folder.write_text("reproduce.sh", render_script(stored.cell, stored.facts, folder.config), executable=True)
        logs = excerpts(stored)
        folder.write_text("report.md", render_markdown(stored, logs))
        folder.write_text("report.html", render_html(stored, logs))


def judge_path(path: Path) -> tuple[Verdict, dict[str, Json]]:
    """Judge a run's folder or attachment, without writing; return the verdict and the content of its verdict.json."""
    with load_run(path) as stored:
        verdict, story = judge_record(stored.cell, stored.events())
        return verdict, verdict_to_json(verdict, run_id=stored.run_id, story=story)
