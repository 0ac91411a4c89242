"""Checks what is installed, what is missing and how to get it; changes nothing unless asked to install."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from harness import __version__
from harness.backends import BACKENDS
from harness.core import active
from harness.core.conditions import Condition
from harness.core.errors import SurroundingsError
from harness.core.paths import cache_dir, expand_home
from harness.core.text import plural
from harness.provision import tools
from harness.stack.load import STAND_IN
from harness.stack.programs import DEFAULTS, RECIPES, recipe_of

LEAST_FREE_BYTES = 500 * 10**6
"""Environments take some 15 MB each, a run's logs 10 to 200 MB."""


def examine() -> list[Condition]:
    """Check everything; takes less than a second unless a Docker engine is slow to answer."""
    rows = [_harness(), _platform(), _uv(), _git()]
    rows += [_tool(recipe) for recipe in RECIPES.values()]
    rows += _interpreters()
    rows += [_cache(), _temporary_folder()]
    rows += [row for kind in BACKENDS.values() for row in kind.examine()]
    return [*rows, _interrupted()]


def install(names: Sequence[str], say: Callable[[str], None]) -> None:
    """Fetch these tools, those of the default run where none is named.

    Raises:
        SurroundingsError: one can't be had.
    """
    for recipe in map(recipe_of, names or DEFAULTS):
        if tools.find_tool(recipe) is None:
            say(f"fetching {recipe.name}")
            tools.install_tool(recipe)


def render(rows: Sequence[Condition]) -> str:
    """Render each row as a line, with its remedy below."""
    lines = []
    width = max(len(row.name) for row in rows)
    for row in rows:
        sign = f"{'ok' if row.ok else 'MISSING' if row.needed else row.otherwise:<7}"
        lines.append(f"{sign}  {row.name:<{width}}  {row.found}")
        if not row.ok and row.remedy:
            lines.append(f"{'':9}{'':{width}}  -> {row.remedy}")
    return "\n".join(lines) + "\n"


def _harness() -> Condition:
    found = f"recycle-harness {__version__} on Python {platform.python_version()}"
    return Condition(name="harness", ok=True, needed=True, found=found)


def _platform() -> Condition:
    linux = platform.system() == "Linux"
    return Condition(
        name="system",
        ok=linux,
        needed=True,
        found=f"{platform.system()} {platform.release()}, {len(os.sched_getaffinity(0)) if linux else '?'} cores",
        remedy="The local back end watches with inotify and /proc, which only Linux has.",
    )


def _uv() -> Condition:
    from harness.provision.installer import find_uv

    try:
        path = str(find_uv())
    except SurroundingsError as problem:
        return Condition(name="uv", ok=False, needed=True, found=problem.what, remedy=problem.remedy)
    return Condition(name="uv", ok=True, needed=True, found=path)


def _git() -> Condition:
    path = shutil.which("git")
    return Condition(
        name="git",
        ok=path is not None,
        needed=False,
        found=path or "not found; only git+file:// SPECs need it",
        remedy="Install the package git.",
    )


def _tool(recipe: tools.Recipe) -> Condition:
    """The row of a tool; a default run needs it, unless another tool can replace it."""
    name, stand_in = recipe.name, STAND_IN.get(recipe.name)
    needed = name in DEFAULTS and stand_in is None
    tool = tools.find_tool(recipe)
    if tool is None:
        problem = tools.missing(recipe, "the default run" if needed else f"--proxy {name}")
        absent = "not found" + (f"; {stand_in} stands in for it, at a fraction of its rate" if stand_in else "")
        return Condition(name=name, ok=False, needed=needed, found=absent, remedy=problem.remedy)
    return Condition(name=name, ok=True, needed=needed, found=f"{tools.tool_version(recipe, tool)} ({tool.path})")


def _interpreters() -> list[Condition]:
    from harness.provision.interpreters import Memory, survey

    found = survey(Memory.load(cache_dir() / "interpreters.json"), environ=os.environ, home=expand_home(Path("~")))
    rows = [
        Condition(name=f"Python {one.version}", ok=True, needed=False, found=str(one.path))
        for one in found.interpreters
    ]
    original = any(one.version.startswith("3.6.") for one in found.interpreters)
    if not original:
        rows.append(
            Condition(
                name="Python 3.6",
                ok=False,
                needed=False,
                found="not found: the original report's interpreter; on a newer one old releases need era shims",
                remedy="pyenv install 3.6.15, or let uv fetch a newer one (uv python install 3.10)",
            )
        )
    return rows


def _cache() -> Condition:
    from harness.provision.eviction import list_environments

    place = cache_dir()
    present = next(folder for folder in (place, *place.parents) if folder.exists())
    free_bytes = shutil.disk_usage(present).free
    remedy = "Make room, or set RECYCLE_HARNESS_CACHE to a folder with some, to which you may write."
    try:
        stored = list_environments()
    except OSError as problem:  # locks of other users, or in a cache that may not be written to
        return Condition(name="cache", ok=False, needed=True, found=f"{place}: {problem}", remedy=remedy)
    size_bytes = sum(one.size_bytes for one in stored)
    return Condition(
        name="cache",
        ok=free_bytes >= LEAST_FREE_BYTES and present.is_dir() and os.access(present, os.W_OK),
        needed=True,
        found=f"{place}: {len(stored)} environments, {size_bytes / 1e6:.0f} MB; {free_bytes / 1e9:.1f} GB free",
        remedy=remedy,
    )


def _temporary_folder() -> Condition:
    import tempfile

    remedy = "Set TMPDIR to a folder that every user may enter, such as /tmp."
    try:
        folder = Path(tempfile.gettempdir())
    except FileNotFoundError as problem:
        return Condition(name="sockets in", ok=False, needed=True, found=str(problem.strerror), remedy=remedy)
    closed = [one for one in (folder, *folder.parents) if os.geteuid() == 0 and not one.stat().st_mode & 0o001]
    return Condition(
        name="sockets in",
        ok=not closed,
        needed=True,
        found=f"{folder}" + (f"; {closed[0]} is closed to the proxy's user" if closed else ""),
        remedy=remedy,
    )


def _interrupted() -> Condition:
    left = len(active.find_interrupted())
    return Condition(
        name="left behind",
        ok=not left,
        needed=False,
        found=plural(left, "interrupted run") if left else "nothing",
        remedy="harness clean",
        otherwise="found",
    )
