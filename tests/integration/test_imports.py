"""What a run has imported by the time at which it starts gunicorn: each millisecond of it is a user's."""

from __future__ import annotations

import subprocess
import sys

NOT_YET = {
    "_hashlib",
    "difflib",
    "harness.judge",
    "harness.report",
    "httpcore",
    "httpx",
    "jinja2",
    "logging",
    "packaging",
    "ssl",
    "statistics",
    "traceback",
}
"""Needed later, by another command, or never; together they take as long as all that is needed."""


def test_a_run_starts_without_what_it_does_not_need_yet() -> None:
    asked = "import sys, harness.cli.main, harness.engine.run, harness.backends.local.backend; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-c", asked], check=True, capture_output=True, text=True)
    assert NOT_YET & set(done.stdout.split()) == set()
