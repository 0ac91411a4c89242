"""What a run changes in a user's proxy configuration, each with its reason; and how a configuration is refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from difflib import unified_diff

from harness.core.errors import UsageError

LISTEN = "the run listens on a port of its own, on the loopback"
UPSTREAM = "the run's own gunicorn"
ONE_UPSTREAM = "the run has one gunicorn"
LOGS = "the run reads the logs, in a form of its own"
NOT_OUTSIDE = "nothing is written outside the run"
USER = "the run says who its processes are"
NO_TLS = "clients and gunicorn talk plain HTTP here"
LIMIT = "the load would run into it at once, and what it refuses would count as lost"
CACHE = "a cache would answer instead of gunicorn"
TWICE = "gunicorn would get each request twice"
REQUEST_ID = "each request of the run carries an id of its own in this header"
NO_GUNICORN = "it hands no request to gunicorn"
OTHER_SERVICE = "nothing is asked outside the run"

ID_HEADER = "x-request-id"

ReadFiles = Callable[[str], Sequence[tuple[str, str]]]
"""What an include names (with wildcards, perhaps) -> (name, text) of each file; none where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigChange:
    """One replaced or left out part. ``run_with`` is "" where it is left out."""

    place: str
    yours: str
    run_with: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapted:
    """A user's configuration as it is run; ``before`` is theirs, written in the same form as ``text``."""

    text: str
    before: str
    changes: tuple[ConfigChange, ...]

    def render_diff(self) -> str:
        """What differs, as a unified diff."""
        lines = unified_diff(self.before.splitlines(), self.text.splitlines(), "yours", "run", lineterm="")
        return "\n".join(lines) + "\n"


@dataclass(slots=True)
class ChangeList:
    """Collects the changes of one configuration."""

    rows: list[ConfigChange] = field(default_factory=list)

    def replace(self, place: str, yours: str, run_with: str, why: str) -> None:
        """One part has another value here."""
        self.rows.append(ConfigChange(place=place, yours=yours, run_with=run_with, why=why))

    def leave_out(self, place: str, yours: str, why: str) -> None:
        """One part is not there."""
        self.replace(place, yours, "", why)


def refusal(what: str, remedy: str = "Take it out of a copy of the file, and name that.") -> UsageError:
    """The error about a configuration that can't be honoured."""
    return UsageError(what=f"--proxy-config: {what}", remedy=remedy)


def unknown(place: str, said: str) -> UsageError:
    """The error about a part that the harness does not know, so that it might listen or write anywhere."""
    return refusal(f"{place}: `{said}` is not among what a run can have: it might listen, ask or write outside of it.")


def no_gunicorn(how: str) -> UsageError:
    """The error about a configuration without an upstream."""
    return refusal(f"nothing in it hands requests to gunicorn ({how}).", "Name the file that does.")
