"""Which user gunicorn gets where the harness is root: one without an account, another one for each run.

Not ``nobody``, whom a proxy may run as too: gunicorn could signal it and read its files. Two runs at a time can't touch
each other either. Where this user may not enter a folder on the way to what gunicorn needs (an interpreter below
root's home, for instance), the user gets a view of its own that has nothing else of that folder; see ``launching``. A
closed folder that gunicorn works in or imports from is shown with all but its hidden folders.
"""

from __future__ import annotations

import os
import pwd
import select
import stat
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path

from harness.backends.local import launching
from harness.core import procfs
from harness.core.users import OtherUser, RunsAs, root_after_all

FIRST_UID, LAST_UID = 60706, 61183
"""Uids that systemd's and Debian's conventions give to nobody; inside the 65536 that a container has."""

PATIENCE_S = 10.0
MOST_SHOWN = 500
_turns = count()


def choose_user(
    places: Sequence[Path], python: Path, *, root_because: str | None, lend: Callable[[int], None]
) -> RunsAs:
    """See ``backends.Backend``."""
    if os.geteuid() != 0:
        return RunsAs(uid=os.geteuid(), why="as the harness")
    if root_because is not None:
        return RunsAs(uid=0, why=root_because)
    try:
        uid = choose_uid()
        lend(uid)  # what is open to its group then needs no view
        user = plan_view(uid, [*places, *list_python(python)])
    except OSError as problem:
        return root_after_all(str(problem))
    return RunsAs(uid=user.uid, why="a user of this run alone, because the harness is root", other=user)


def choose_uid() -> int:
    """A uid without an account and without a process."""
    taken = {entry.pw_uid for entry in pwd.getpwall()}
    for pid in procfs.list_pids():
        with suppress(OSError):  # it has ended meanwhile
            taken.add((procfs.PROC / str(pid)).stat().st_uid)
    number = LAST_UID + 1 - FIRST_UID
    for turn in range(number):
        uid = FIRST_UID + (os.getpid() * 7 + next(_turns) + turn) % number
        if uid not in taken:
            return uid
    raise OSError("every uid for it is in use")


def list_python(python: Path) -> list[Path]:
    """What an interpreter is made of: its executable, by all its names, and the installation behind it."""
    places = [python, python.resolve()]
    config = python.parent.parent / "pyvenv.cfg"
    if config.is_file():
        found = dict(line.split(" = ", 1) for line in config.read_text().splitlines() if " = " in line)
        places.append(Path(found.get("home", python.parent)) / python.resolve().name)
    prefix = python.resolve().parent.parent
    return [*(place for place in places if place.exists()), *([prefix] if (prefix / "lib").is_dir() else [])]


def plan_view(uid: int, places: Iterable[Path]) -> OtherUser:
    """The user with what it has to be shown so that it can reach all ``places``."""
    covered: set[str] = set()
    shown: set[str] = set()
    links: dict[str, str] = {}
    left = [str(place.absolute()) for place in places]
    while left:
        left += _follow(left.pop(), uid, covered, shown, links)
        if len(shown) > MOST_SHOWN:
            raise OSError("too much of what gunicorn needs lies in closed folders")
    inside = {path for path in shown if not any(_is_below(path, other) for other in shown)}
    # A folder inside one that is shown may be closed in its turn.
    inside |= {path for path in shown for cover in covered if _is_below(path, cover) and _any_below(cover, inside)}
    return OtherUser(
        uid=uid,
        covered=tuple(sorted(covered)),
        shown=tuple(sorted(inside)),
        links=tuple(sorted((path, to) for path, to in links.items() if not any(_is_below(path, s) for s in inside))),
    )


def _any_below(path: str, folders: Iterable[str]) -> bool:
    return any(_is_below(path, folder) for folder in folders)


def _follow(path: str, uid: int, covered: set[str], shown: set[str], links: dict[str, str]) -> list[str]:
    """Walk to a path and note what is closed on the way; the paths that are to be followed next."""
    parts = Path(path).parts
    for length in range(2, len(parts) + 1):
        step = str(Path(*parts[:length]))
        state = Path(step).lstat()
        if stat.S_ISLNK(state.st_mode):
            to = str(Path(step).readlink())
            if _any_below(step, covered):
                links[step] = to
            return [os.path.normpath(Path(step).parent / to / Path(*parts[length:]))]
        if length < len(parts) and not has_right(state, uid, stat.S_IXOTH):
            covered.add(step)
    if stat.S_ISDIR(state.st_mode) and not has_right(state, uid, stat.S_IXOTH):
        covered.add(path)
        return [entry.path for entry in os.scandir(path) if not (entry.name.startswith(".") and entry.is_dir())]
    if _any_below(path, covered):
        shown.add(path)
    return []


def _is_below(path: str, folder: str) -> bool:
    return path != folder and Path(path).is_relative_to(folder)


def has_right(state: os.stat_result, uid: int, right: int) -> bool:
    """Whether a user that is in a group of the same number alone has a right, written as that of the others."""
    shift = 6 if state.st_uid == uid else 3 if state.st_gid == uid else 0
    return state.st_mode >> shift & right == right


def render_launch(user: OtherUser, argv: Sequence[str], *, tell: int) -> list[str]:
    """The argv that becomes ``argv`` as this user; ``tell``: the descriptor for why it does not."""
    steps = [(path, launching.COVER, "") for path in user.covered]
    if steps:  # else everything is there to be seen
        steps += [(path, launching.SHOW, "") for path in user.shown]
        steps += [(path, launching.LINK, target) for path, target in user.links]
    launch = [launching.__file__, str(user.uid), launching.write_plan(steps), str(tell)]
    return [sys.executable, "-I", "-S", *launch, *argv]


class LaunchChannel:
    """Tells why a launch does not get its user; ``tell`` is the descriptor that the launch gets."""

    def __init__(self) -> None:
        heard, self.tell = os.pipe()
        self._heard = os.fdopen(heard, "rb", buffering=0)

    def read(self) -> str | None:
        """Wait until the program runs, which takes 25 ms: None; or until it is clear why it can't: a line."""
        self._close_own_end()
        if not select.select([self._heard], [], [], PATIENCE_S)[0]:
            return f"nothing was started within {PATIENCE_S:g} s"
        return self._heard.read().decode(errors="replace") or None

    def close(self) -> None:
        """Close both ends."""
        self._close_own_end()
        self._heard.close()

    def _close_own_end(self) -> None:
        """Or it would never end."""
        if self.tell >= 0:
            os.close(self.tell)
            self.tell = -1
