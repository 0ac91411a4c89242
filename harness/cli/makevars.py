"""From make's variables to a command line: values are data, one argument each, whatever they contain.

The Makefile exports its variables unexpanded and names only the command; no shell ever sees a value. The
options themselves, their defaults and their checks are the command line's.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence

from harness.backends import BACKENDS
from harness.core.cell_fields import CELL_FIELDS
from harness.core.errors import EXIT_CHECK_SKIP, EXIT_USAGE, HarnessError, SurroundingsError, UsageError
from harness.core.model import Cell
from harness.core.text import printable
from harness.stack.programs import DEFAULTS, RECIPES, recipe_of

OPTIONS: Mapping[str, str] = {
    "PYTHON": "--python",
    **{row.name.upper(): str(row.flag) for row in CELL_FIELDS.values() if row.make},
    "OUT": "--out",
}
DEFAULT_PROXY, DEFAULT_LOAD = DEFAULTS
"""The programs of a run that names none; the load where it is available."""

RUNS = ("reproduce", "check")
"""The commands that take a release and the options of a run; any other takes ARGS alone."""


def build_arguments(command: str, environ: Mapping[str, str]) -> list[str]:
    """The arguments of ``harness`` for ``command`` from make's variables; empty ones are left out.

    Raises:
        UsageError: a run names no release, or ARGS has an unclosed quote.
    """
    further = split_args(environ.get("ARGS", ""))
    if command not in RUNS:
        return [command, *further]
    # The form --name=value keeps a value that begins with a dash from becoming an option.
    options = [f"{option}={environ[name]}" for name, option in OPTIONS.items() if environ.get(name, "").strip()]
    return [command, release(command, environ), *options, *further]


def release(command: str, environ: Mapping[str, str]) -> str:
    """The value of GUNICORN.

    Raises:
        UsageError: it is missing or would be read as an option.
    """
    named = environ.get("GUNICORN", "")
    if not named.strip():
        raise UsageError(what="no release is named", remedy=f"say which one: make {command} GUNICORN=19.6.0")
    if named.startswith("-"):
        raise UsageError(
            what=f"GUNICORN={named!r} is neither a release nor a path",
            remedy=f"give options in ARGS: make {command} GUNICORN=19.6.0 ARGS='--workers 2'",
        )
    return named


def split_args(text: str) -> list[str]:
    """ARGS, split into arguments by the quoting rules of a shell, without starting one."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise UsageError(
            what=f"ARGS={text!r} can't be split into options: {error}",
            remedy="close the quote, or escape it with a backslash",
        ) from error


def needed_tools(environ: Mapping[str, str]) -> list[str]:
    """The native tools that a run with these variables wants on this machine."""
    kind = BACKENDS.get(environ.get("BACKEND") or "") or BACKENDS[Cell(spec="").backend]
    named = kind.list_programs(environ.get("PROXY") or DEFAULT_PROXY, environ.get("LOAD") or DEFAULT_LOAD)
    return [name for name in named if name in RECIPES]


def main(arguments: Sequence[str]) -> int:
    """Run ``harness`` as make's variables say, the tools it needs fetched first; returns its exit code."""
    command = arguments[0]
    try:
        argv = build_arguments(command, os.environ)
        if command in RUNS:
            fetch_tools(os.environ)
    except HarnessError as error:
        print(printable(f"error: {error}"), file=sys.stderr)
        return EXIT_CHECK_SKIP if command == "check" and error.exit_code != EXIT_USAGE else error.exit_code
    from harness.cli.main import main as harness

    return harness(argv)


def fetch_tools(environ: Mapping[str, str]) -> None:
    """Install what the run needs and is missing; a load that nobody named may be missing."""
    from harness.provision import tools

    for name in needed_tools(environ):
        if name == DEFAULT_LOAD and not environ.get("LOAD"):
            _fetch_default_load()
        else:
            tools.install_tool(recipe_of(name))


def _fetch_default_load() -> None:
    """Fetch the default load. The user has not asked for it, so another one may replace it; the run reports that."""
    from harness.provision import tools

    try:
        tools.install_tool(recipe_of(DEFAULT_LOAD))
    except SurroundingsError as problem:
        print(f"set-up: {problem}\nset-up: going on without it: httpx makes the load", file=sys.stderr)
