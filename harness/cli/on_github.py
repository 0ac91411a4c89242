"""What a command leaves for GitHub where it runs under its Actions: annotations on the job, a summary on its page."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def tell_github(path: Path, *, as_expected: bool) -> None:
    """Under GitHub Actions, write annotations on the job and a summary on its page; a failure here is only reported."""
    if os.environ.get("GITHUB_ACTIONS") != "true":
        return
    from harness.records.store import load_run
    from harness.report.github import render_annotations, render_job_summary

    with load_run(path) as stored:
        sys.stderr.write(render_annotations(stored, as_expected=as_expected))
        page = os.environ.get("GITHUB_STEP_SUMMARY")
        if not page:
            return
        try:
            with Path(page).open("a", encoding="utf-8", errors="backslashreplace") as stream:
                stream.write(render_job_summary(stored))
        except OSError as problem:
            print(f"The job summary {page} could not be written: {problem.strerror}.", file=sys.stderr)
