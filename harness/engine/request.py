"""What the user asked for: the cell, and all else that a run of it needs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.frozen import dataclass
from harness.core.model import Cell

if TYPE_CHECKING:
    from harness.stack.own_settings.replacing import Resolved
    from harness.watch.progress import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSettings:
    """What the user named with `--settings`, the fields of the cell that they gave beside it, and what was read."""

    said: str
    given: frozenset[str] = frozenset()
    resolved: Resolved | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What the user asked for: the cell, where the record goes, and how gunicorn and its app are set up."""

    cell: Cell
    out: Path
    python: str | None = None
    era_shims: bool = True  # whether a Python will do on which the release runs only with them
    settings: Path | None = None  # settings that go before the cell's values, which win; None is the fixture's
    own: OwnSettings | None = None  # a user's own settings, which win over the cell's values
    project: tuple[str, ...] | None = None  # what the user's project needs beside gunicorn; None: there is none
    app_folder: Path | None = None  # where the user's own app is imported from; None is the working folder
    load_named: bool = False  # else another load may replace one that is missing
    load_note: str | None = None  # why it is another load than the cell's default
    label: str = ""  # goes before the cell in the folder's name
    app_text: str | None = None  # replaces the fixture app, as a file of the same name
    enough: Callable[[Progress], bool] | None = None  # when to end the load early; None: after so many recycles
    memory: bool = False  # whether the memory of arbiter and workers is sampled
    as_root: bool = False  # whether gunicorn stays root where the harness is
    all_ready: bool = False  # whether every worker has to say that it is ready before the first control request


def list_brought(request: RunRequest) -> list[str]:
    """What this request uses instead of the fixtures, in words."""
    app = ["app: one that was made for this run, see config/"] if request.app_text is not None else []
    own = ["settings: your own; what differs from them stands under 'settings' in facts.json"] if request.own else []
    return app + own + (["settings: more than the cell's values, see config/config.py"] if request.settings else [])
