"""The load generators: one small module each, one row each in ``LOADS``.

A module says which program it needs, renders its command line and leaves its result in one form (see ``result``).
What drives them and when they stop is the engine's. A newcomer adds one file and one row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from harness.core.model import Cell
from harness.provision.tools import Recipe, Tool, find_tool
from harness.stack.load import httpx_load, wrk


class LoadGenerator(Protocol):
    """What the engine asks of a load's module."""

    @property
    def SCRIPT(self) -> str | None:  # noqa: N802 - a constant of the module
        """A file below ``fixtures/load`` that the program reads; None where it needs none."""

    @property
    def DEVIATION(self) -> str:  # noqa: N802 - likewise
        """How it differs from the original report's load, in words."""

    @property
    def RECIPE(self) -> Recipe | None:  # noqa: N802 - a constant of the module
        """How to get its program; None where the harness itself is it."""

    @property
    def IMAGE(self) -> str | None:  # noqa: N802 - a constant of the module
        """The folder below ``docker`` that its image is made from; None where it has no image."""

    def find_program(self) -> Tool:
        """What is to be started; SurroundingsError where it is missing."""

    def state_version(self, program: Tool) -> str:
        """The version, for the facts."""

    def render_command(self, program: str, cell: Cell, *, url: str, script: str) -> list[str]:
        """The argv. It ends by itself after the cell's duration, and early on SIGINT; both leave a result."""

    def ledger_environment(self, cell: Cell, prefix: str) -> dict[str, str]:
        """What makes it give each request an id and write its account of them to ``prefix`` and what follows."""


LOADS: Mapping[str, LoadGenerator] = {"wrk": wrk, "httpx": httpx_load}
"""By the name of ``--load``."""

STAND_IN = {"wrk": "httpx"}
"""What makes the load where nobody named one and the default can't be had."""


def choose_load(cell: Cell) -> tuple[Cell, str | None]:
    """The cell with a load that can be had here where nobody named one, and a word about it where it isn't wrk."""
    if cell.load != wrk.RECIPE.name or find_tool(wrk.RECIPE) is not None:
        return cell, None
    return replace(cell, load=STAND_IN[cell.load]), (
        "wrk is missing, so httpx makes the load, at a fraction of its rate (docs/loads.md); "
        "`harness doctor --install wrk` fetches it on Debian and Ubuntu"
    )
