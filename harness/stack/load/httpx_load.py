"""The load on httpx: its command line. The program itself is ``httpx_client``, a process like wrk.

For machines without wrk, for a constant rate (``--rate``), and for a Unix socket without a proxy, which wrk can't ask.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import harness
from harness.core.model import Cell
from harness.provision.tools import Recipe, Tool
from harness.stack.asked import render_json
from harness.stack.load.account import LEDGER_VARIABLE

SCRIPT: str | None = None
DEVIATION = "load: httpx instead of wrk"
RECIPE: Recipe | None = None
IMAGE: str | None = None
REQUEST_FILE = "request.json"
render_request = render_json

_LAUNCH = """\
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
from harness.stack.load import httpx_client
raise SystemExit(httpx_client.main())
"""
"""Python takes a while to start and may be told to end before it handles signals: the signal is blocked until then."""


def find_program() -> Tool:
    """The Python that runs the harness; the load finds the harness wherever the run's folder is."""
    package = Path(harness.__file__).parent
    return Tool(name="httpx", path=Path(sys.executable), env={"PYTHONPATH": str(package.parent)})


def state_version(_program: Tool) -> str:
    """httpx's, and that of the engine under it which does the talking."""
    from importlib.metadata import version

    return f"{version('httpx')} (httpcore {version('httpcore')}, Python {sys.version.split()[0]})"


def render_command(program: str, cell: Cell, *, url: str, script: str) -> list[str]:
    """The argv; there are no more processes than cores, and each has a client at least."""
    processes = min(cell.load_threads, cell.connections, len(os.sched_getaffinity(0)))
    options = {
        "--processes": processes,
        "--connections": cell.connections,
        "--duration": f"{cell.duration_s:g}",
        "--rate": cell.rate_per_s,
    }
    given = [f"{name}={value}" for name, value in options.items() if value is not None]
    return [program, "-c", _LAUNCH, *given, url]


def ledger_environment(cell: Cell, prefix: str) -> dict[str, str]:
    """See ``LoadGenerator``."""
    return {LEDGER_VARIABLE: prefix}
