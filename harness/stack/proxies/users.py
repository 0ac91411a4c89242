"""The user that a proxy switches to when root starts it: the first of its usual users that exists on this system."""

from __future__ import annotations

import grp
import pwd
from collections.abc import Iterable


def first_user(names: Iterable[str]) -> str | None:
    """The first of these users that exists; None where none does."""
    return next((name for name in names if _exists(name)), None)


def group_of(user: str) -> str:
    """The name of a user's own group, which is not always that of the user.

    Raises:
        KeyError: there is no such user.
    """
    return grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True
