"""A run as Markdown, in the order of the form of gunicorn's Discussions, ready to be pasted: ``run.md.j2``."""

from __future__ import annotations

from collections.abc import Sequence

from harness.records.stored import StoredRun
from harness.report.excerpts import Excerpt, excerpts
from harness.report.templates import render
from harness.report.view import view_run


def render_markdown(stored: StoredRun, logs: Sequence[Excerpt] | None = None) -> str:
    """The report; every verdict gets one, an error too. ``logs`` are the excerpts, if the caller has them.

    Raises:
        UsageError: the run has no verdict.
    """
    return render("run.md.j2", run=view_run(stored, logs=excerpts(stored) if logs is None else logs))
