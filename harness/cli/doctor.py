"""What is installed, what is missing and how to get it: looks, and changes nothing unless asked to install."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import __version__
from harness.core import procfs
from harness.core.errors import SurroundingsError
from harness.core.paths import cache_dir
from harness.provision import tools
from harness.stack.load import STAND_IN
from harness.stack.programs import DEFAULTS, RECIPES, recipe_of

LEAST_FREE_BYTES = 500 * 10**6
"""Environments take some 15 MB each, a run's logs 10 to 200 MB."""

DOCKER_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One thing looked at. ``needed``: without it no run is possible here. ``remedy``: what to do where not ``ok``."""

    name: str
    ok: bool
    needed: bool
    found: str
    remedy: str = ""


def examine() -> list[Row]:
    """Look at everything; takes less than a second unless a Docker engine is slow to answer."""
    rows = [_harness(), _platform(), _uv(), _git()]
    rows += [_tool(recipe) for recipe in RECIPES.values()]
    rows += _interpreters()
    rows += [_cache(), _temporary_folder(), _inotify(), _docker(), _interrupted()]
    return rows


def install(names: Sequence[str], say: Callable[[str], None]) -> None:
    """Fetch these tools, those of the default run where none is named; SurroundingsError where one can't be had."""
    for recipe in map(recipe_of, names or DEFAULTS):
        if tools.find_tool(recipe) is None:
            say(f"fetching {recipe.name}")
            tools.install_tool(recipe)


def render(rows: Sequence[Row]) -> str:
    """A line a row, the remedies below what they mend."""
    lines = []
    width = max(len(row.name) for row in rows)
    for row in rows:
        sign = "ok     " if row.ok else "MISSING" if row.needed else "absent "
        lines.append(f"{sign}  {row.name:<{width}}  {row.found}")
        if not row.ok and row.remedy:
            lines.append(f"{'':9}{'':{width}}  -> {row.remedy}")
    return "\n".join(lines) + "\n"


def _harness() -> Row:
    found = f"recycle-harness {__version__} on Python {platform.python_version()}"
    return Row(name="harness", ok=True, needed=True, found=found)


def _platform() -> Row:
    linux = platform.system() == "Linux"
    return Row(
        name="system",
        ok=linux,
        needed=True,
        found=f"{platform.system()} {platform.release()}, {len(os.sched_getaffinity(0)) if linux else '?'} cores",
        remedy="The local back end watches with inotify and /proc, which only Linux has.",
    )


def _uv() -> Row:
    from harness.provision.installer import find_uv

    try:
        path = str(find_uv())
    except SurroundingsError as problem:
        return Row(name="uv", ok=False, needed=True, found=problem.what, remedy=problem.remedy)
    return Row(name="uv", ok=True, needed=True, found=path)


def _git() -> Row:
    path = shutil.which("git")
    return Row(
        name="git",
        ok=path is not None,
        needed=False,
        found=path or "not found; only git+file:// SPECs need it",
        remedy="Install the package git.",
    )


def _tool(recipe: tools.Recipe) -> Row:
    """A run's default tools are needed, unless something stands in for them."""
    name, stand_in = recipe.name, STAND_IN.get(recipe.name)
    needed = name in DEFAULTS and stand_in is None
    tool = tools.find_tool(recipe)
    if tool is None:
        problem = tools.missing(recipe, "the default run" if needed else f"--proxy {name}")
        absent = "not found" + (f"; {stand_in} stands in for it, at a fraction of its rate" if stand_in else "")
        return Row(name=name, ok=False, needed=needed, found=absent, remedy=problem.remedy)
    return Row(name=name, ok=True, needed=needed, found=f"{tools.tool_version(recipe, tool)} ({tool.path})")


def _interpreters() -> list[Row]:
    from harness.provision.interpreters import Memory, survey

    found = survey(Memory.load(cache_dir() / "interpreters.json"), environ=os.environ, home=Path.home())
    rows = [Row(name=f"Python {one.version}", ok=True, needed=False, found=str(one.path)) for one in found.interpreters]
    original = any(one.version.startswith("3.6.") for one in found.interpreters)
    if not original:
        rows.append(
            Row(
                name="Python 3.6",
                ok=False,
                needed=False,
                found="not found: the original report's interpreter; old releases run on up to 3.10",
                remedy="pyenv install 3.6.15, or let uv fetch a newer one (uv python install 3.10)",
            )
        )
    return rows


def _cache() -> Row:
    from harness.provision.eviction import list_environments

    place = cache_dir()
    present = next(folder for folder in (place, *place.parents) if folder.exists())
    free_bytes = shutil.disk_usage(present).free
    remedy = "Make room, or set RECYCLE_HARNESS_CACHE to a folder with some, to which you may write."
    try:
        stored = list_environments()
    except OSError as problem:  # others' locks, or those of a cache that may not be written
        return Row(name="cache", ok=False, needed=True, found=f"{place}: {problem}", remedy=remedy)
    size_bytes = sum(one.size_bytes for one in stored)
    return Row(
        name="cache",
        ok=free_bytes >= LEAST_FREE_BYTES and present.is_dir() and os.access(present, os.W_OK),
        needed=True,
        found=f"{place}: {len(stored)} environments, {size_bytes / 1e6:.0f} MB; {free_bytes / 1e9:.1f} GB free",
        remedy=remedy,
    )


def _temporary_folder() -> Row:
    import tempfile

    folder = Path(tempfile.gettempdir())
    closed = [one for one in (folder, *folder.parents) if os.geteuid() == 0 and not one.stat().st_mode & 0o001]
    return Row(
        name="sockets in",
        ok=not closed,
        needed=True,
        found=f"{folder}" + (f"; {closed[0]} is closed to the proxy's user" if closed else ""),
        remedy="Set TMPDIR to a folder that every user may enter, such as /tmp.",
    )


def _inotify() -> Row:
    count = procfs.read_number(procfs.INOTIFY_INSTANCES) or 0
    return Row(
        name="inotify",
        ok=count > 0,
        needed=True,
        found=f"{count} instances per user",
        remedy="Raise fs.inotify.max_user_instances.",
    )


def _docker() -> Row:
    from harness.backends.docker import connection

    try:
        client = connection.connect(timeout_s=DOCKER_S)
    except SurroundingsError as problem:
        found = f"{problem.what} The local back end needs none."
        return Row(name="docker", ok=False, needed=False, found=found, remedy=problem.remedy)
    try:
        version = client.version().get("Version", "of unknown version")
    finally:
        client.close()
    return Row(name="docker", ok=True, needed=False, found=f"engine {version} at {connection.address()}")


def _interrupted() -> Row:
    from harness.backends.local import find_interrupted

    left = len(find_interrupted())
    return Row(
        name="left behind",
        ok=not left,
        needed=False,
        found=f"{left} interrupted runs" if left else "nothing",
        remedy="harness clean",
    )
