"""The native tools an experiment needs (a proxy, wrk, ...): where they are, which version, how to get them.

A tool is looked for on PATH and in the folders that an ordinary user's PATH leaves out, then among those that we
unpacked ourselves. What is done *with* a tool is no business of this room: see ``proxies`` and ``load``.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from harness.core import locks
from harness.core.errors import HarnessError, SurroundingsError, UsageError
from harness.core.paths import cache_dir
from harness.provision import apt

SYSTEM_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/sbin")
VERSION_TIMEOUT_S = 10.0
DEFAULT_TOOLS = ("h2o", "wrk")
"""Those of a run without further options."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A tool that is here. ``env`` is to be added to the environment it is started with (paths of an unpacked one).

    ``version``: where it is known already, because the tool can't be started here (it lies in an image).
    """

    name: str
    path: Path
    env: Mapping[str, str] = field(default_factory=dict)
    version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How to get a tool and how to ask for its version. ``packages``: system -> what its user should do."""

    debian: str
    packages: Mapping[str, str]
    version_argument: str
    version_pattern: str
    service: str | None = None  # what its package would have the system start at each boot


RECIPES: Mapping[str, Recipe] = {
    "h2o": Recipe(
        debian="h2o",
        packages={
            "Debian, Ubuntu": "apt-get install h2o",
            "Fedora": "no package that we know of; build it from source",
            "Alpine": "apk add h2o (from the community repository)",
            "macOS": "brew install h2o",
        },
        version_argument="--version",
        version_pattern=r"h2o version (\S+)",
        service="h2o",
    ),
    "nginx": Recipe(
        debian="nginx",
        packages={
            "Debian, Ubuntu": "apt-get install nginx",
            "Fedora": "dnf install nginx",
            "Alpine": "apk add nginx",
            "macOS": "brew install nginx",
        },
        version_argument="-v",
        version_pattern=r"nginx version: nginx/(\S+)",
        service="nginx",
    ),
    "haproxy": Recipe(
        debian="haproxy",
        packages={
            "Debian, Ubuntu": "apt-get install haproxy",
            "Fedora": "dnf install haproxy",
            "Alpine": "apk add haproxy",
            "macOS": "brew install haproxy",
        },
        version_argument="-v",
        version_pattern=r"HA-?Proxy version (\S+)",
        service="haproxy",
    ),
    "caddy": Recipe(
        debian="caddy",
        packages={
            "Debian, Ubuntu": "apt-get install caddy",
            "Fedora": "dnf install caddy",
            "Alpine": "apk add caddy (from the community repository)",
            "macOS": "brew install caddy",
        },
        version_argument="version",
        version_pattern=r"v?(\d+\.\d\S*)",
        service="caddy",
    ),
    "wrk": Recipe(
        debian="wrk",
        packages={
            "Debian, Ubuntu": "apt-get install wrk",
            "Fedora": "not in Fedora itself; dnf copr enable getpagespeed/wrk, dnf install wrk",
            "Alpine": "apk add wrk (from the community repository)",
            "macOS": "brew install wrk",
        },
        version_argument="-v",
        version_pattern=r"wrk (?:debian/)?(\d[\d.]*)",
    ),
}


def find_tool(name: str) -> Tool | None:
    """The tool ``name`` from PATH, the sbin folders, or the cache; None where it is in none of them."""
    recipe_of(name)
    search_path = os.pathsep.join((os.environ.get("PATH", os.defpath), *SYSTEM_FOLDERS))
    found = shutil.which(name, path=search_path)
    if found:
        return Tool(name=name, path=Path(found))
    trees = sorted((path for path in tools_dir().glob(f"{name}-*") if path.suffix != ".tmp"), reverse=True)
    return next((tool for tree in trees if (tool := unpacked_tool(name, tree))), None)


def require_tool(name: str, needed_for: str) -> Tool:
    """The tool ``name``; SurroundingsError, with the package of each system, where it is missing."""
    tool = find_tool(name)
    if tool is None:
        raise missing(name, needed_for)
    return tool


def tool_version(tool: Tool) -> str:
    """The version the tool states of itself ("2.2.5"); SurroundingsError where it does not start or states none."""
    if tool.version is not None:
        return tool.version
    said = _ask(tool, [str(tool.path), recipe_of(tool.name).version_argument])
    return parse_version(tool.name, said, program=str(tool.path))


def parse_version(name: str, said: str, *, program: str = "") -> str:
    """The version in what the tool printed; SurroundingsError where it states none."""
    recipe = recipe_of(name)
    matched = re.search(recipe.version_pattern, said)
    if matched is None:
        raise SurroundingsError(
            what=f"{program or name} {recipe.version_argument} states no version; it printed: {said.strip()[:300]!r}",
            remedy=f"install {name} anew: {recipe.packages['Debian, Ubuntu']} (Debian, Ubuntu)",
        )
    return matched[1]


def install_tool(name: str) -> Tool:
    """The tool ``name``, fetched first where it is missing: with apt-get as root, else unpacked below the cache.

    Two callers at once don't disturb each other; the second one finds the tool. Raises SurroundingsError where
    neither way is open, UsageError for a name that has no recipe.
    """
    if tool := find_tool(name):
        return tool
    if not apt.available():
        raise missing(name, "the experiment")
    tools_dir().mkdir(parents=True, exist_ok=True)
    waiting = f"waiting for another process that gets {name}"
    with closing(locks.take_exclusive(tools_dir() / f"{name}.lock", on_wait=lambda: _say(waiting))):
        if tool := find_tool(name):
            return tool
        rights = apt.privileges()
        if rights is not None:
            _say(f"installing the package {recipe_of(name).debian}")
            apt.install([recipe_of(name).debian], rights=rights)
            service = recipe_of(name).service
            if service is not None:
                apt.disable_service(service, rights=rights)
            return require_tool(name, "the experiment, and its package was just installed")
        _say(f"fetching {name} into {tools_dir()}, for want of the rights to install it")
        return _unpack_tool(name)


def tools_dir() -> Path:
    """Where the unpacked tools lie: one folder ``<name>-<version>`` each, laid out like a file system's root."""
    return cache_dir() / "tools"


def recipe_of(name: str) -> Recipe:
    """The recipe for ``name``; UsageError where there is none."""
    try:
        return RECIPES[name]
    except KeyError:
        raise UsageError(what=f"no tool is called {name!r}", remedy=f"choose from: {', '.join(RECIPES)}") from None


def missing(name: str, needed_for: str) -> SurroundingsError:
    """The error for a missing tool: what needs it, and its package on each system."""
    ways = "; ".join(f"{system}: {how}" for system, how in recipe_of(name).packages.items())
    return SurroundingsError(
        what=f"{name} is missing, and {needed_for} needs it; it is neither on PATH nor in {tools_dir()}.",
        remedy=f"`harness doctor --install {name}` fetches it on Debian and Ubuntu, "
        f"with or without root. By hand: {ways}.",
    )


def unpacked_tool(name: str, tree: Path) -> Tool | None:
    """The tool below ``tree``, the unpacked root of its packages, with what makes it find its libraries and data."""
    programs = [tree / folder / name for folder in ("usr/sbin", "usr/bin", "sbin", "bin")]
    path = next((path for path in programs if os.access(path, os.X_OK)), None)
    if path is None:
        return None
    patterns = ("usr/lib/*-linux-*", "lib/*-linux-*", "usr/lib", "lib")
    folders = [str(folder) for pattern in patterns for folder in sorted(tree.glob(pattern))]
    env: dict[str, str] = {}
    if folders:
        inherited = os.environ.get("LD_LIBRARY_PATH")
        env["LD_LIBRARY_PATH"] = os.pathsep.join([*folders, inherited] if inherited else folders)
    if name == "h2o":
        env["H2O_ROOT"] = str(tree / "usr")  # where it looks for share/h2o, its own scripts
    return Tool(name=name, path=path, env=env)


def _unpack_tool(name: str) -> Tool:
    """Unpack beside the final place and move it there only when it has started once."""
    half = tools_dir() / f"{name}.tmp"
    if half.exists():
        shutil.rmtree(half)
    version = apt.unpack(recipe_of(name).debian, half)
    tool = unpacked_tool(name, half)
    if tool is None:
        raise SurroundingsError(what=f"the package {recipe_of(name).debian} {version} holds no program {name}")
    tool_version(tool)
    tree = tools_dir() / f"{name}-{version}"
    half.rename(tree)
    return require_tool(name, f"the experiment, and it was just unpacked into {tree}")


def _ask(tool: Tool, argv: Sequence[str]) -> str:
    """What the tool prints on either stream. Its exit status says nothing: wrk's is 1 after telling its version."""
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


def main(arguments: Sequence[str] | None = None) -> int:
    """List the tools, or with ``--install`` fetch those that are missing; 0, or the exit code of what failed."""
    parser = argparse.ArgumentParser(prog="python -m harness.provision.tools", description=main.__doc__)
    parser.add_argument("--install", action="store_true", help="fetch what is missing")
    parser.add_argument("names", nargs="*", metavar="TOOL", help=f"of {', '.join(RECIPES)}; else h2o and wrk")
    chosen = parser.parse_args(arguments)
    try:
        for name in chosen.names or DEFAULT_TOOLS:
            tool = install_tool(name) if chosen.install else require_tool(name, "the experiment")
            if not chosen.install:
                print(f"{name} {tool_version(tool)} {tool.path}")
    except HarnessError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
