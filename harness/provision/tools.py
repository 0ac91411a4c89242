"""The native tools an experiment needs (a proxy, wrk, ...): where they are, which version they have, how to get them.

A tool is looked for on PATH, in the folders that an ordinary user's PATH leaves out, and among those that the harness
unpacked itself. The recipe of each tool stands in the module of its proxy or load.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import field
from pathlib import Path

from harness.core import locks
from harness.core.errors import SurroundingsError
from harness.core.frozen import dataclass
from harness.core.paths import cache_dir

SYSTEM_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/sbin")
VERSION_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """An installed tool. ``env`` is added to the environment that it is started with (the paths of an unpacked one).

    ``version`` is set where the tool can't be started here to ask it, because it lies in an image.
    """

    name: str
    path: Path
    env: Mapping[str, str] = field(default_factory=dict)
    version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How to get a tool and how to ask for its version. ``packages`` maps a system to what its user should do."""

    name: str  # of the program
    debian: str
    packages: Mapping[str, str]
    version_argument: str
    version_pattern: str
    service: str | None = None  # what its package would have the system start at each boot
    unpacked_env: Mapping[str, str] = field(default_factory=dict)  # variable -> folder below an unpacked tree


def find_tool(recipe: Recipe) -> Tool | None:
    """The tool from PATH, the sbin folders, or the cache; None where it is in none of them."""
    name = recipe.name
    search_path = os.pathsep.join((os.environ.get("PATH", os.defpath), *SYSTEM_FOLDERS))
    found = shutil.which(name, path=search_path)
    if found:
        return Tool(name=name, path=Path(found))
    trees = sorted((path for path in tools_dir().glob(f"{name}-*") if path.suffix != ".tmp"), reverse=True)
    return next((tool for tree in trees if (tool := unpacked_tool(recipe, tree))), None)


def require_tool(recipe: Recipe, needed_for: str) -> Tool:
    """Find the tool.

    Raises:
        SurroundingsError: it is missing; the error names its package on each system.
    """
    tool = find_tool(recipe)
    if tool is None:
        raise missing(recipe, needed_for)
    return tool


def tool_version(recipe: Recipe, tool: Tool) -> str:
    """Ask the tool for its version ("2.2.5").

    Raises:
        SurroundingsError: it does not start, or prints no version.
    """
    if tool.version is not None:
        return tool.version
    said = _ask(tool, [str(tool.path), recipe.version_argument])
    return parse_version(recipe, said, program=str(tool.path))


def parse_version(recipe: Recipe, said: str, *, program: str = "") -> str:
    """Find the version in what the tool printed.

    Raises:
        SurroundingsError: there is none.
    """
    matched = re.search(recipe.version_pattern, said)
    if matched is None:
        raise SurroundingsError(
            what=f"{program or recipe.name} {recipe.version_argument} states no version; "
            f"it printed: {said.strip()[:300]!r}",
            remedy=f"install {recipe.name} anew: {recipe.packages['Debian, Ubuntu']} (Debian, Ubuntu)",
        )
    return matched[1]


def install_tool(recipe: Recipe) -> Tool:
    """Find the tool, and get it first where it is missing: with apt-get as root, else unpacked below the cache.

    Two callers at once don't disturb each other; the second one finds the tool.

    Raises:
        SurroundingsError: neither way is open.
    """
    if tool := find_tool(recipe):
        return tool
    from harness.provision import apt  # where nothing is missing, a run does without

    if not apt.available():
        raise missing(recipe, "the experiment")
    tools_dir().mkdir(parents=True, exist_ok=True)
    waiting = f"waiting for another process that gets {recipe.name}"
    with closing(locks.take_exclusive(tools_dir() / f"{recipe.name}.lock", on_wait=lambda: _say(waiting))):
        if tool := find_tool(recipe):
            return tool
        rights = apt.privileges()
        if rights is not None:
            _say(f"installing the package {recipe.debian}")
            apt.install([recipe.debian], rights=rights)
            if recipe.service is not None:
                apt.disable_service(recipe.service, rights=rights)
            return require_tool(recipe, "the experiment, and its package was just installed")
        _say(f"fetching {recipe.name} into {tools_dir()}, for want of the rights to install it")
        return _unpack_tool(recipe)


def tools_dir() -> Path:
    """Where the unpacked tools lie: one folder ``<name>-<version>`` each, laid out like a file system's root."""
    return cache_dir() / "tools"


def missing(recipe: Recipe, needed_for: str) -> SurroundingsError:
    """Make the error for a missing tool: what needs it, and its package on each system."""
    ways = "; ".join(f"{system}: {how}" for system, how in recipe.packages.items())
    return SurroundingsError(
        what=f"{recipe.name} is missing, and {needed_for} needs it; it is neither on PATH nor in {tools_dir()}.",
        remedy=f"`harness doctor --install {recipe.name}` fetches it on Debian and Ubuntu, "
        f"with or without root. By hand: {ways}.",
    )


def unpacked_tool(recipe: Recipe, tree: Path) -> Tool | None:
    """The tool below ``tree``, the unpacked root of its packages, with what makes it find its libraries and data."""
    programs = [tree / folder / recipe.name for folder in ("usr/sbin", "usr/bin", "sbin", "bin")]
    path = next((path for path in programs if os.access(path, os.X_OK)), None)
    if path is None:
        return None
    patterns = ("usr/lib/*-linux-*", "lib/*-linux-*", "usr/lib", "lib")
    folders = [str(folder) for pattern in patterns for folder in sorted(tree.glob(pattern))]
    env: dict[str, str] = {}
    if folders:
        inherited = os.environ.get("LD_LIBRARY_PATH")
        env["LD_LIBRARY_PATH"] = os.pathsep.join([*folders, inherited] if inherited else folders)
    env |= {variable: str(tree / folder) for variable, folder in recipe.unpacked_env.items()}
    return Tool(name=recipe.name, path=path, env=env)


def _unpack_tool(recipe: Recipe) -> Tool:
    """Unpack beside the final folder, and move it there once the tool has started."""
    half = tools_dir() / f"{recipe.name}.tmp"
    if half.exists():
        shutil.rmtree(half)
    from harness.provision import apt

    version = apt.unpack(recipe.debian, half)
    tool = unpacked_tool(recipe, half)
    if tool is None:
        raise SurroundingsError(what=f"the package {recipe.debian} {version} holds no program {recipe.name}")
    tool_version(recipe, tool)
    tree = tools_dir() / f"{recipe.name}-{version}"
    half.rename(tree)
    return require_tool(recipe, f"the experiment, and it was just unpacked into {tree}")


def _ask(tool: Tool, argv: Sequence[str]) -> str:
    """What the tool prints on either stream. The exit status is ignored: wrk's is 1 after it printed its version."""
    try:
        done = subprocess.run(
            argv,
            env={**os.environ, **tool.env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=VERSION_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SurroundingsError(what=f"{tool.path} does not start: {error}", remedy="install it anew") from error
    return done.stdout


def _say(text: str) -> None:
    print(f"set-up: {text}", file=sys.stderr, flush=True)
