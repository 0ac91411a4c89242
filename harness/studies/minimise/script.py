"""``reproduce.sh`` of the smallest case: a few lines where they are enough, else the script of its run's record.

The short one is started once, with the environment that the run had, so that it is known what it says and how long it
takes; nothing is installed for that.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness.core.clock import now_ns
from harness.core.frozen import dataclass
from harness.core.keeping import temporary_folder
from harness.core.model import Cell
from harness.core.subprocesses import run
from harness.engine.options import DEFAULTS
from harness.provision.releases import list_releases
from harness.report.fields import text, texts
from harness.report.templates import render
from harness.stack.gunicorn import started_worker_class
from harness.stack.workers import find_worker
from harness.studies.minimise.case import Case
from harness.studies.minimise.result import ShortScript

PATIENCE_S = 60.0
SHORT_FINDINGS = ("socket-deleted", "permanent-outage", "failed-responses")
"""What the short script looks for."""

PLAIN = (
    "path",
    "method",
    "body",
    "header",
    "expect_status",
    "app",
    "disturb",
    "timeout",
    "graceful_timeout",
    "backend",
)
"""What must be as usual for the short script."""

RESTARTS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallestView:
    """What the short script is about."""

    finding: str
    release: str
    series: str  # of Python, such as 3.6
    python: str
    requirements: Sequence[str]
    options: Sequence[str]
    over_socket: bool
    requests: int


def make_script(case: Case, finding: str, record: Path) -> ShortScript | None:
    """The script for a case, of which a run is recorded; None where there is none."""
    try:
        facts = json.loads((record / "facts.json").read_bytes())
        whole = (record / "reproduce.sh").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None
    python, freeze = text(facts, "python", "version", default=""), texts(facts, "gunicorn", "freeze")
    shims = texts(facts, "gunicorn", "shims") or (record / "config" / "era").is_dir()
    series = re.match(r"\d+\.\d+", python)
    if series is None or shims or not is_plain(case, finding):
        return ShortScript(text=whole, is_short=False, why="more than a few lines is needed for this case")
    view = SmallestView(
        finding=finding,
        release=text(facts, "gunicorn", "version", default=case.cell.spec),
        series=series[0],
        python=python,
        requirements=[one for one in freeze if not one.startswith("bottle==")],
        options=_list_options(case.cell),
        over_socket=case.cell.bind == "unix",
        requests=(case.cell.max_requests + case.cell.max_requests_jitter) * case.cell.workers * RESTARTS,
    )
    script = ShortScript(text=render("smallest.sh.j2", script=view), is_short=True)
    command = facts["gunicorn"].get("command") or [""]
    return try_script(script, str(command[0]))


def is_plain(case: Case, finding: str) -> bool:
    """Whether the few lines make this case: one client, no proxy, nothing of the user's."""
    cell = case.cell
    usual = all(getattr(cell, name) == getattr(DEFAULTS, name) for name in PLAIN)
    small = cell.proxy == "none" and cell.connections == 1 and not (case.statements or case.packages)
    known = cell.spec in {row.version for row in list_releases()}
    return usual and small and known and finding in SHORT_FINDINGS and not find_worker(cell.worker).asgi


def try_script(script: ShortScript, python: str) -> ShortScript:
    """Start it once, with an interpreter that has the gunicorn."""
    if shutil.which("curl") is None or not os.access(python, os.X_OK):
        return replace(script, why="not tried here: there is no curl, or the environment is gone")
    with temporary_folder("smallest script") as folder:
        file = folder / "reproduce.sh"
        file.write_text(script.text, encoding="utf-8")
        began_ns = now_ns()
        done = run(["sh", str(file)], cwd=folder, environ={**os.environ, "PYTHON": python}, timeout_s=PATIENCE_S)
    took_s = round((now_ns() - began_ns) / 1e9, 2)
    return replace(script, reproduced=done.status == 0, took_s=took_s, why="")


def _list_options(cell: Cell) -> list[str]:
    name, threads = started_worker_class(cell)
    options = {
        "--bind": "unix:gunicorn.sock" if cell.bind == "unix" else "127.0.0.1:18080",
        "--workers": str(cell.workers),
        "--worker-class": None if name == "sync" else name,
        "--threads": str(threads) if threads > 1 else None,
        "--max-requests": str(cell.max_requests) if cell.max_requests else None,
        "--max-requests-jitter": str(cell.max_requests_jitter) if cell.max_requests_jitter else None,
    }
    return [word for flag, value in options.items() if value is not None for word in (flag, value)]
