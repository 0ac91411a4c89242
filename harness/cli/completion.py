"""What a shell completes at TAB, as a script that shtab makes from the parser: nothing of ours runs at the prompt."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from harness.core.errors import SurroundingsError

SHELLS = ("bash", "zsh", "fish")
COMMANDS = ("harness", "recycle-harness")
"""The console scripts, which are one and the same."""

_FILES = frozenset({"A", "B", "CONFIG", "FILE", "RUN", "SPEC"})
_FOLDERS = frozenset({"DIR"})
"""Arguments that may be a path, by what stands for them in --help."""


def render_completion(parser: argparse.ArgumentParser, shell: str) -> str:
    """The script for one shell, for the name that the command was called by.

    Raises:
        SurroundingsError: shtab is not installed.
    """
    try:
        import shtab
    except ModuleNotFoundError as problem:
        raise SurroundingsError(
            what="The completion is made by the package shtab, which is not installed.",
            remedy="pip install 'recycle-harness[completion]'",
        ) from problem
    for action in _walk(parser):
        name = action.metavar if isinstance(action.metavar, str) else ""
        if name in _FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined]  # shtab's way to be told
        elif name in _FOLDERS:
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]  # likewise
    return str(shtab.complete(parser, shell))


def _walk(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """All arguments of a parser and of the commands below it."""
    for action in parser._actions:  # argparse has no other way to list them
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from _walk(below)
