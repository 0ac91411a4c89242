"""What can fail in the harness itself or its surroundings; never the misbehaviour of the server under test.

Every class carries its exit code; its text says what failed, on what, the measured value, where to look, and
what to do next. ``cli`` alone turns them into exit codes. A failure of cleaning up is added as a note to the
first cause (``add_note``), never raised over it.
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
    """The root: ``what`` failed in one line, ``remedy`` in one line, ``log`` where more is to be read."""

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
    """The user asked for something that cannot be meant."""

    exit_code = EXIT_USAGE


class UnrunnableError(HarnessError):
    """This release can't be installed or started here, whatever the harness does."""

    exit_code = EXIT_UNRUNNABLE


class SurroundingsError(HarnessError):
    """Something that the experiment needs is missing or broken here: a tool, a port, a permission, disk space."""

    exit_code = EXIT_ERROR


class SetupBrokenError(SurroundingsError):
    """The control requests failed although gunicorn itself answers: the set-up is at fault, not the release."""
