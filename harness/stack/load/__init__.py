"""The load generators: one small module each, one row each in ``LOADS``.

A module names the program it needs, renders its command line and writes its result in one form (see ``result``). The
engine starts and stops them. To add a load generator, add one file and one row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from harness.core.model import Cell
from harness.provision.tools import Recipe, Tool, find_tool
from harness.stack.asked import Asked
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

    @property
    def REQUEST_FILE(self) -> str:  # noqa: N802 - likewise
        """What the file with the request is called, in ``config``."""

    def render_request(self, asked: Asked) -> str:
        """The text of that file."""

    def find_program(self) -> Tool:
        """The program to start.

        Raises:
            SurroundingsError: it is missing.
        """

    def state_version(self, program: Tool) -> str:
        """The version, for the facts."""

    def render_command(self, program: str, cell: Cell, *, url: str, script: str) -> list[str]:
        """The argv. The program writes its result after the cell's duration, or early on SIGINT, and ends."""

    def ledger_environment(self, cell: Cell, prefix: str) -> dict[str, str]:
        """The variables that make it give each request an id and write its account to ``prefix`` and what follows."""


LOADS: Mapping[str, LoadGenerator] = {"wrk": wrk, "httpx": httpx_load}
"""By the name of ``--load``."""

STAND_IN = {"wrk": "httpx"}
"""The load where the user named none and the default is missing."""


def choose_load(cell: Cell) -> tuple[Cell, str | None]:
    """The cell with a load that is available here, if the user named none; and a note if it isn't wrk."""
    if cell.load != wrk.RECIPE.name or find_tool(wrk.RECIPE) is not None:
        return cell, None
    return replace(cell, load=STAND_IN[cell.load]), (
        "wrk is missing, so httpx makes the load, at a fraction of its rate (docs/loads.md); "
        "`harness doctor --install wrk` fetches it on Debian and Ubuntu"
    )
