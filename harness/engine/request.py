"""What the user asked for: the cell, and all else that a run of it needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.core.model import Cell
from harness.watch.progress import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What the user asked for: the cell, where the record goes, and how gunicorn and its app are set up."""

    cell: Cell
    out: Path
    python: str | None = None
    era_shims: bool = True  # whether a Python will do on which the release runs only with them
    disturbance: str = "recycle"  # what ends, replaces or moves processes during the load, see ``harness.disturb``
    settings: Path | None = None  # the user's own gunicorn settings; None is the fixture's
    app_folder: Path | None = None  # where the user's own app is imported from; None is the working folder
    load_named: bool = False  # else another load may replace one that is missing
    load_note: str | None = None  # why it is another load than the cell's default
    label: str = ""  # goes before the cell in the folder's name
    app_text: str | None = None  # replaces the fixture app, as a file of the same name
    enough: Callable[[Progress], bool] | None = None  # when to end the load early; None: after so many recycles
    memory: bool = False  # whether the memory of arbiter and workers is sampled
    all_ready: bool = False  # whether every worker has to say that it is ready before the first control request


def list_brought(request: RunRequest) -> list[str]:
    """What this request uses instead of the fixtures, in words."""
    app = ["app: one that was made for this run, see config/"] if request.app_text is not None else []
    return app + (["settings: more than the cell's values, see config/config.py"] if request.settings else [])
