"""Collects what a run ran on: versions, kernel, limits, and what deviates from the original report."""

from __future__ import annotations

import os
import platform
import resource
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone

from harness import __version__
from harness.backends import BACKENDS, Command
from harness.core import procfs
from harness.core.cell_fields import CELL_FIELDS
from harness.core.model import Cell, Json
from harness.engine.servers import PASSED_ON, StartedProxy
from harness.provision import tools
from harness.provision.environments import Environment
from harness.provision.releases import load_catalogue
from harness.stack import gunicorn
from harness.stack.load import LOADS
from harness.stack.workers import find_worker

REPORT_BOTTLE = "bottle==0.12.13"


def collect_facts(
    *,
    cell: Cell,
    run_id: str,
    environment: Environment,
    command: Command,
    proxy: StartedProxy | None,
    load_tool: tools.Tool,
    load_note: str | None = None,
    brought: Sequence[str] = (),
    containers: Mapping[str, Json] | None = None,
    settings: Sequence[Json] = (),
    repeat: Sequence[str] = (),
) -> dict[str, Json]:
    """The content of ``facts.json``; asks the tools for their versions (about 10 ms).

    ``command``: gunicorn's. ``brought``: how a scenario's own files differ from the original report's, in words.
    ``settings``: the table of the user's own settings, and ``repeat`` the command that reads them again.
    ``containers``: what the back end says of the place where the servers live, where that is not this machine itself.
    """
    return {
        **collect_surroundings(run_id),
        "gunicorn": {
            "version": environment.gunicorn_version,
            "spec": cell.spec,
            "revision": environment.revision,
            "freeze": list(environment.freeze),
            "shims": [{"name": name, "why": why} for name, why in explain_shims(environment)],
            "command": list(command.argv),
            **({} if command.user is None else {"user": {"uid": command.user.uid, "why": command.user.why}}),
        },
        "python": {
            "version": environment.python_version,
            "path": str(environment.base_python),
            "looked_at": list(environment.looked_at),
        },
        "proxy": _proxy(cell, proxy),
        "load": {
            "name": cell.load,
            "version": LOADS[cell.load].state_version(load_tool),
            "path": str(load_tool.path),
            "note": load_note,
        },
        "deviations": [
            *list_deviations(cell, environment),
            *_state_user(command),
            *brought,
            *BACKENDS[cell.backend].DEVIATIONS,
        ],
        **({"containers": dict(containers)} if containers else {}),
        **({"settings": list(settings), "repeat": list(repeat)} if settings else {}),
    }


def collect_surroundings(run_id: str) -> dict[str, Json]:
    """The part that is known even where nothing could be started."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return {
        "schema": 1,
        "run": run_id,
        "started_utc": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
        "harness": {"version": __version__, "python": platform.python_version()},
        "os": {
            "kernel": f"{platform.system()} {platform.release()}",
            "distribution": _distribution(),
            "machine": platform.machine(),
            "cpus": len(os.sched_getaffinity(0)),
            "root": os.geteuid() == 0,
        },
        "limits": {"nofile": [soft, hard], "somaxconn": procfs.read_number(procfs.SOMAXCONN)},
        "environment": {name: os.environ[name] for name in PASSED_ON if name in os.environ},
    }


FOUND_BY_TRYING = "this gunicorn, which is no release, was tried without it and did not start"


def explain_shims(environment: Environment) -> list[tuple[str, str]]:
    """(name, why) of each shim that this release needs, era shims included."""
    known = load_catalogue()
    shims = known.shims if environment.revision is None else ()
    reasons = {shim.name: shim.reason for shim in shims} | {shim.name: shim.reason for shim in known.era_shims}
    return [(name, reasons.get(name, FOUND_BY_TRYING)) for name in (*environment.shims, *environment.era_shims)]


def list_deviations(cell: Cell, environment: Environment) -> list[Json]:
    """How this run differs from the original report, in words."""
    deviations: list[Json] = list(gunicorn.DEVIATIONS)
    if not environment.python_version.startswith("3.6."):
        deviations.append(f"Python {environment.python_version} instead of 3.6")
    deviations.extend(
        f"{pin} instead of {REPORT_BOTTLE}, which does not install on this Python"
        for pin in environment.freeze
        if pin.startswith("bottle==") and pin != REPORT_BOTTLE
    )
    deviations.append(LOADS[cell.load].DEVIATION)
    if cell.ledger:
        own = "" if cell.app else ", and the app is wrapped so that it notes the id and sends it back"
        deviations.append(f"ledger: each request carries an id in a header{own}")
    deviations.extend(
        f"{row.name}: {getattr(cell, row.name)} instead of {row.shown if row.default is None else row.default}"
        for row in CELL_FIELDS.values()
        if row.deviates and getattr(cell, row.name) != row.default
    )
    deviations.extend(filter(None, [find_worker(cell.worker).deviation]))
    deviations.extend(f"shim {name}: {why}" for name, why in explain_shims(environment))
    return deviations


def _state_user(command: Command) -> list[Json]:
    if command.user is None or (command.user.other is None and not command.user.warning):
        return []
    return [f"user: gunicorn runs as {command.user.uid}: {command.user.why}"]


def _proxy(cell: Cell, proxy: StartedProxy | None) -> dict[str, Json]:
    if proxy is None:
        return {"name": cell.proxy, "version": None}
    return {
        "name": cell.proxy,
        "version": tools.tool_version(proxy.module.RECIPE, proxy.tool),
        "path": str(proxy.tool.path),
        "port": proxy.port,
        "user": proxy.user,
        "command": list(proxy.command),
        **({"own": dict(proxy.own)} if proxy.own else {}),
    }


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "unknown")
    except OSError:
        return "unknown"
