"""What is under way, with a file each in the cache folder: it names what a killed harness leaves behind."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.core import procfs, reaper
from harness.core.errors import SurroundingsError
from harness.core.files import open_regular, replace_file
from harness.core.frozen import dataclass
from harness.core.paths import cache_dir

FOLDER = "active"
"""Below the cache folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What an interrupted harness has left behind. ``run``: its record, where it is that of one run."""

    what: str
    run: str | None
    killed: int


def file_of(marker: str) -> Path:
    """The file of what goes by this marker."""
    return cache_dir() / FOLDER / f"{marker}.json"


def note(file: Path, content: Mapping[str, object]) -> None:
    """Write the file in one step.

    Raises:
        SurroundingsError: the cache folder can't be written to.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(file, json.dumps(content))
    except OSError as problem:
        raise SurroundingsError(
            what=f"The cache folder {file.parent} can't be written to: {problem}.",
            remedy="Free some space there, or set RECYCLE_HARNESS_CACHE to another folder.",
        ) from problem


def find_interrupted() -> Sequence[Path]:
    """The files of what no live harness works on, damaged ones too."""
    return [path for path in sorted((cache_dir() / FOLDER).glob("*.json")) if not _is_live(path)]


def sweep_interrupted(active: Path) -> Swept:
    """End and remove what an interrupted harness left behind; a damaged file names nothing, and is only removed."""
    try:
        content = _read(active)
        marker, folders, run = str(content["marker"]), list(content["folders"]), content["run"]
        leaders = {int(pid): int(start or 0) for pid, start in content["leaders"]}
        users = [int(user) for user in content.get("users", ())]
    except (OSError, ValueError, KeyError, TypeError) as problem:
        active.unlink(missing_ok=True)
        return Swept(what=f"a damaged list {active} ({problem}), which was removed", run=None, killed=0)
    killed = reaper.sweep(marker, leaders, [str(folder) for folder in folders], users=users)
    active.unlink(missing_ok=True)
    return Swept(what=str(content.get("what") or marker), run=None if run is None else str(run), killed=killed)


def _is_live(path: Path) -> bool:
    try:
        pid, start = map(int, _read(path)["harness"])
        return procfs.start_ticks(pid) == start
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _read(path: Path) -> dict[str, Any]:
    with open_regular(path) as stream:
        try:
            content = json.loads(stream.read())
        except RecursionError as problem:
            raise ValueError("it is nested too deeply") from problem
    if not isinstance(content, dict):
        raise ValueError("it holds no JSON object")  # noqa: TRY004 - one error for every damaged file
    return content
