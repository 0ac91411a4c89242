"""The package index's list of gunicorn's final releases, each with its date, asked for through uv.

uv has no command that lists versions, but it says which one it would take below another: the walk down that stair
visits each. Where the index lies is the user's configuration.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from packaging.version import Version

from harness.core.errors import SurroundingsError
from harness.provision import installer
from harness.provision.complaints import Complaint
from harness.provision.releases import ReleaseRow

OLDEST = "0.16"
"""The first release that the project is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A release on the index, and when (UTC) its first file came there."""

    version: str
    at: datetime


def list_index(folder: Path, say: Callable[[str], None]) -> tuple[ReleaseRow, ...]:
    """Every final release from OLDEST on, oldest first by date. ``folder``: where uv works. SurroundingsError."""
    found = tuple(_walk_down(folder, say))
    by_time = sorted(found, key=lambda upload: upload.at)
    return tuple(ReleaseRow(version=upload.version, date=upload.at.date()) for upload in by_time)


def _walk_down(folder: Path, say: Callable[[str], None]) -> Iterator[Upload]:
    below = ""
    while True:
        upload = look_up(f">={OLDEST}{below}", base=Path(sys.executable), cwd=folder, refresh=not below)
        if upload is None:
            return
        say(f"{upload.version} of {upload.at:%Y-%m-%d}")
        yield upload
        if Version(upload.version) <= Version(OLDEST):
            return
        below = f",<{upload.version}"


def look_up(specifier: str, *, base: Path, cwd: Path, refresh: bool) -> Upload | None:
    """The newest final release of gunicorn within a PEP 440 specifier, with its date; None where there is none.

    ``base`` is any interpreter. SurroundingsError where the index can't be reached, or tells no dates.
    """
    output = ["--quiet", "--no-deps", "--no-header", "--format", "pylock.toml"]
    target = [
        "--python",
        str(base),
        "--python-version",
        "3.99",
        *(["--refresh-package", "gunicorn"] if refresh else []),
    ]
    done = installer.run_uv(["pip", "compile", *output, *target, "-"], cwd, stdin=f"gunicorn{specifier}\n")
    if done.status != 0 and installer.classify(done.stderr) is Complaint.NO_SUCH_VERSION:
        return None
    if done.status != 0:
        raise installer.complain(done, "the releases of gunicorn can't be listed", SurroundingsError)
    version = re.search(r'^version = "(?P<version>[^"]+)"$', done.stdout, re.MULTILINE)
    uploads = re.findall(r"\bupload-time = (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)", done.stdout)
    if version is None or not uploads:
        raise SurroundingsError(
            what="the package index tells no upload times of gunicorn's files",
            remedy="name an index in UV_DEFAULT_INDEX whose pages carry them (PEP 700)",
        )
    return Upload(version=version["version"], at=datetime.fromisoformat(min(uploads)).replace(tzinfo=timezone.utc))
