"""The kinds of failure of uv that have different consequences: how to tell each, and what can be done about it."""

from __future__ import annotations

import re
from enum import Enum

from harness.core.patterns import pattern


class Complaint(Enum):
    """The kinds of failure of uv that have different consequences."""

    CHANGED = "the package index gave another file than the one that is recorded here"
    DISK = "the disk is full"
    UNREACHABLE = "the package index can't be reached"
    NO_SUCH_VERSION = "the index has no such version"
    WRONG_PYTHON = "the metadata exclude this Python"
    BUILD = "building a distribution failed"
    OTHER = "anything else"


SIGNS: tuple[tuple[Complaint, re.Pattern[str]], ...] = (
    (Complaint.CHANGED, pattern(r"Hash mismatch for")),
    (Complaint.DISK, pattern(r"No space left on device|Disk quota exceeded", re.IGNORECASE)),
    (
        Complaint.UNREACHABLE,
        pattern(r"Failed to fetch|Failed to download|error sending request|network was disabled|Could not connect"),
    ),
    (Complaint.NO_SUCH_VERSION, pattern(r"there is no version of|was not found in the package registry")),
    (Complaint.WRONG_PYTHON, pattern(r"does not satisfy Python")),
    (Complaint.BUILD, pattern(r"Failed to build|build backend returned an error", re.IGNORECASE)),
)
"""In the order in which they are looked for: a fault of the surroundings before one of the release."""


def name_complaint(complaint: Complaint) -> str:
    """How a message about it begins; nothing for one of no known kind."""
    return "" if complaint is Complaint.OTHER else f"{complaint.value}: "


def find_remedy(complaint: Complaint) -> str:
    """What the user can do about it, "" where nothing is known."""
    cures = {
        Complaint.CHANGED: "see what answers in the index's stead, and where UV_DEFAULT_INDEX leads; `uv cache clean` "
        "removes what was kept of it",
        Complaint.DISK: "free some space (harness clean), or set RECYCLE_HARNESS_CACHE to a folder elsewhere",
        Complaint.UNREACHABLE: "mend the connection, name a mirror in UV_DEFAULT_INDEX, or, where the index has a "
        "certificate that only the system trusts, set UV_SYSTEM_CERTS=1",
        Complaint.NO_SUCH_VERSION: "let the package index offer that version, or name another one in UV_DEFAULT_INDEX",
        Complaint.BUILD: "read the log: a dependency could not be built on this Python",
    }
    return cures.get(complaint, "")
