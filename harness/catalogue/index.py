"""The package index's list of gunicorn's final releases, each with its date, asked for through uv.

uv has no command that lists versions, but it says which one it would take below another: the walk down that stair
visits each. Where the index lies is the user's configuration.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from packaging.version import Version

from harness import installer
from harness.releases import ReleaseRow

OLDEST = "0.16"
"""The first release that the project is about."""


def list_index(folder: Path, say: Callable[[str], None]) -> tuple[ReleaseRow, ...]:
    """Every final release from OLDEST on, oldest first by date. ``folder``: where uv works. SurroundingsError."""
    found = tuple(_walk_down(folder, say))
    by_time = sorted(found, key=lambda upload: upload.at)
    return tuple(ReleaseRow(version=upload.version, date=upload.at.date()) for upload in by_time)


def _walk_down(folder: Path, say: Callable[[str], None]) -> Iterator[installer.Upload]:
    below = ""
    while True:
        upload = installer.look_up(f">={OLDEST}{below}", base=Path(sys.executable), cwd=folder, refresh=not below)
        if upload is None:
            return
        say(f"{upload.version} of {upload.at:%Y-%m-%d}")
        yield upload
        if Version(upload.version) <= Version(OLDEST):
            return
        below = f",<{upload.version}"
