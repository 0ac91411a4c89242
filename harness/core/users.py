"""Which user gunicorn runs as, and what a user other than root is shown of folders that are closed to it."""

from __future__ import annotations

from harness.core.errors import SurroundingsError
from harness.core.frozen import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherUser:
    """A user that root turns into to start a server: without an account, and in a group of the same number alone.

    In its view an empty folder stands in the place of each ``covered`` one, with the ``shown`` files and folders and
    the ``links`` (path, target) at their own paths. Nobody else sees that.
    """

    uid: int
    covered: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsAs:
    """The user of a server; ``other``: None where it is the one that starts it. ``warning``: root was not wanted."""

    uid: int
    why: str
    other: OtherUser | None = None
    warning: bool = False


def root_after_all(why_not: str) -> RunsAs:
    """Root, who was not wanted; ``why_not``: what speaks against another user."""
    return RunsAs(uid=0, why=f"no other user can be had here ({why_not})", warning=True)


class NoOtherUserError(SurroundingsError):
    """This system does not let root turn into the other user; ``what`` says why."""
