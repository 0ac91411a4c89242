"""wrk: its command line. Its Lua script (``fixtures/load/wrk.lua``) writes what it saw.

wrk always exits with 0 and counts all statuses above 399 together. So the script's result file is the only source, and
a missing or truncated one means that the load has failed.
"""

from __future__ import annotations

from harness.core.model import Cell
from harness.provision.tools import Recipe, Tool, require_tool, tool_version
from harness.stack.asked import render_lua
from harness.stack.load.account import LEDGER_VARIABLE

RECIPE = Recipe(
    name="wrk",
    debian="wrk",
    packages={
        "Debian, Ubuntu": "apt-get install wrk",
        "Fedora": "not in Fedora itself; dnf copr enable getpagespeed/wrk, dnf install wrk",
        "Alpine": "apk add wrk (from the community repository)",
        "macOS": "brew install wrk",
    },
    version_argument="-v",
    version_pattern=r"wrk (?:debian/)?(\d[\d.]*)",
)
IMAGE = "wrk"
SCRIPT = "wrk.lua"
DEVIATION = "wrk: runs a Lua script that tallies the statuses, and is stopped early once all is clear"
REQUEST_FILE = "request.lua"
render_request = render_lua
THREADS_VARIABLE = "RECYCLE_HARNESS_LOAD_THREADS"


def find_program() -> Tool:
    """See ``LoadGenerator``."""
    return require_tool(RECIPE, f"--load {RECIPE.name}")


def state_version(program: Tool) -> str:
    """The version that wrk prints."""
    return tool_version(RECIPE, program)


def ledger_environment(cell: Cell, prefix: str) -> dict[str, str]:
    """See ``LoadGenerator``; the script reads the variables."""
    return {LEDGER_VARIABLE: prefix, THREADS_VARIABLE: str(_threads(cell))}


def render_command(program: str, cell: Cell, *, url: str, script: str) -> list[str]:
    """The argv: threads, connections and an upper bound of seconds as in the original report, and the script."""
    seconds = max(1, round(cell.duration_s))
    return [program, f"-t{_threads(cell)}", f"-c{cell.connections}", f"-d{seconds}s", "-s", script, url]


def _threads(cell: Cell) -> int:
    return min(cell.load_threads, cell.connections)
