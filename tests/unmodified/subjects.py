"""The releases that are run as they are, and what the harness may say of each: from their code, and from many runs.

The thread worker of 19.6.0 deletes the socket file at its first restart, always. The others keep it. What is lost now
and then, or comes late, is a property of the worker class and stands here as such; anything else is a false alarm.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Judged(Enum):
    """What a verdict is worth."""

    RIGHT = "right"
    INCONCLUSIVE = "inconclusive"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One release as it is run. ``must`` is found in each run; ``may`` is true of it, but not always seen."""

    release: str
    worker: str
    proxy: str
    must: frozenset[str] = frozenset()
    may: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """The name that patterns choose it by."""
        return f"{self.release}-{self.worker}-{self.proxy}"


SUBJECTS = (
    Subject(
        release="19.6.0",
        worker="gthread",
        proxy="h2o",
        must=frozenset({"socket-deleted"}),
        # Connections that the proxy has open to gunicorn may be answered on; requests are lost before the file goes.
        may=frozenset({"permanent-outage", "failed-responses"}),
    ),
    Subject(release="27.0.1", worker="gthread", proxy="h2o"),
    Subject(release="27.0.1", worker="sync", proxy="h2o"),
    # It looks at its count once a second, and serves on until then.
    Subject(release="20.1.0", worker="gevent", proxy="h2o", may=frozenset({"recycled-late"})),
    # It resets connections at a restart; nginx sends most of these requests again.
    Subject(release="23.0.0", worker="gthread", proxy="nginx", may=frozenset({"failed-responses"})),
)


def assess(subject: Subject, said: Mapping[str, Any]) -> tuple[Judged, str]:
    """What a verdict is worth, and why where it is wrong."""
    verdict, found = said.get("verdict"), {finding["id"] for finding in said.get("findings", ())}
    if verdict not in {"holds", "violated", "inconclusive"}:
        return Judged.WRONG, f"the verdict is {verdict}"
    strange = found - subject.must - subject.may
    if strange:
        return Judged.WRONG, f"found {_name(strange)}, which the release does not have"
    if "interference" in {note["id"] for note in said.get("notes", ())}:
        return Judged.WRONG, "others are blamed, and nobody did anything"
    if verdict == "inconclusive":
        return Judged.INCONCLUSIVE, ""
    missing = subject.must - found
    return (Judged.WRONG, f"did not find {_name(missing)}") if missing else (Judged.RIGHT, "")


def _name(ids: Iterable[str]) -> str:
    return ", ".join(sorted(ids))
