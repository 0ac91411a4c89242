"""The runs in progress, with a file each in the cache folder, which names what a killed run leaves behind."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from harness.core import procfs, reaper
from harness.core.paths import cache_dir

FOLDER = "active"
"""Below the cache folder."""


def file_of(marker: str) -> Path:
    """The file of a run, by its marker."""
    return cache_dir() / FOLDER / f"{marker}.json"


def find_interrupted() -> Sequence[Path]:
    """The files of runs whose harness no longer lives."""
    found = []
    for path in sorted((cache_dir() / FOLDER).glob("*.json")):
        pid, start = json.loads(path.read_text())["harness"]
        if procfs.start_ticks(pid) != start:
            found.append(path)
    return found


def sweep_interrupted(active: Path) -> tuple[str, int]:
    """End what an interrupted run left behind; returns (its run folder, processes killed)."""
    content = json.loads(active.read_text())
    killed = reaper.sweep(content["marker"], {pid: start or 0 for pid, start in content["leaders"]}, content["folders"])
    active.unlink(missing_ok=True)
    return content["run"], killed
