"""The failures of the harness itself and of its surroundings; never the misbehaviour of the server under test.

Each class has an exit code; its text says what failed, on what, the measured value, where to look, and what to do
next. Only ``cli`` turns errors into exit codes. A failure to clean up is added to the first error as a note
(``add_note``) and never replaces it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

EXIT_OK = 0
EXIT_UNEXPECTED = 1
EXIT_USAGE = 2
EXIT_INCONCLUSIVE = 3
EXIT_ERROR = 4
EXIT_UNRUNNABLE = 5
EXIT_INTERRUPTED = 130
EXIT_CHECK_SKIP = 125


@dataclass(kw_only=True, eq=False)
class HarnessError(Exception):
    """The base class: one line each for ``what`` failed and its ``remedy``, and the ``log`` with more."""

    what: str
    remedy: str = ""
    log: Path | None = None

    exit_code = EXIT_ERROR

    def __str__(self) -> str:
        parts = [self.what]
        if self.remedy:
            parts.append(f"To do: {self.remedy}")
        if self.log is not None:
            parts.append(f"More in {self.log}")
        return "\n".join(parts)


class UsageError(HarnessError):
    """The user asked for something that does not exist or contradicts itself."""

    exit_code = EXIT_USAGE


class UnrunnableError(HarnessError):
    """This release can't be installed or started here, whatever the harness does."""

    exit_code = EXIT_UNRUNNABLE


class NoSuchReleaseError(UnrunnableError):
    """There is no such release or revision anywhere: rather a slip of the user's than a property of this machine."""


class SurroundingsError(HarnessError):
    """Something that the experiment needs is missing or broken here: a tool, a port, a permission, disk space."""

    exit_code = EXIT_ERROR


class SetupBrokenError(SurroundingsError):
    """The control requests failed although gunicorn itself answers: the set-up is at fault, not the release."""
