"""Drives the load and the settle phase: starts the load, watches everybody's pulse, stops early, lets all settle.

It decides when there is enough evidence, never what the evidence means: that is the judge's, from the record.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from harness.backends import Backend, Command, Process
from harness.core.clock import now_ns
from harness.core.errors import SurroundingsError
from harness.core.events.clients import LoadEnded, LoadStarted
from harness.core.events.course import Machine
from harness.core.events.servers import ArbiterExited, ProxyExited
from harness.core.model import Cell
from harness.core.paths import fixtures_dir
from harness.engine.readiness import Stage
from harness.engine.stage import base_environment
from harness.judge.ledger import load_account
from harness.judge.outage import ENOUGH_PROBES
from harness.provision import tools
from harness.stack.load import LOADS
from harness.stack.load.result import ENDING_VARIABLE, RESULT_VARIABLE, parse_result
from harness.watch.event_log import EventSink
from harness.watch.machine import Usage, foreign_share
from harness.watch.progress import Progress

TICK_S = 0.01
SETTLE_TICK_S = 0.01
QUIET_S = 0.1
"""After the socket file went: nobody answered for so long is enough to end the load. Every answer on the way from
gunicorn's access log, the proxy's and the probers counts, and each connect to a missing path fails at once."""

SETTLE_S = 10.0
"""How long a service may take to come back to full number and to answer again, beside its boots: gunicorn spawns a
missing worker within a second."""

BOOTS = 2
"""So many of the app's boot times a service may take on top: all workers may boot at once, and side by side they are
slower than the first that answered."""

STEADY_S = 0.1
"""So long the same workers must have lived, and none be about to end, before the service counts as settled."""

LINGER_S = 3.5
"""Connections that the proxy holds open to gunicorn may be answered although the path is gone. Without requests they
are closed after keepalive (2 s), which gunicorn looks at once a second; so long the probes through the proxy pause."""

LOAD_GRACE_S = 10.0
"""A load ends by itself when its duration is over; wrk looks every 0.1 s; httpx takes a second or more to
start on a busy machine, and waits up to 2 s for the last answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drive:
    """One run's moving parts, as the load and settle phases see them."""

    stage: Stage
    progress: Progress
    sink: EventSink
    say: Callable[[str], None]
    tool: tools.Tool
    pause_probes: Callable[[str, float], None]  # (way, seconds)
    boot_s: float = 0.0  # from gunicorn's start to its first answer
    enough: Callable[[Progress], bool] | None = None  # asked instead of the recycles, --full-duration or not

    def watch_pulse(self) -> None:
        """Record a death as it happens; raise where the harness or its proxy can't go on."""
        self.sink.check()
        status = self.stage.gunicorn.poll()
        if status is not None and not self.progress.arbiter_ended:
            self.sink.emit(ArbiterExited(pid=self.stage.gunicorn.pid, status=status))
        proxy = self.stage.proxy
        if proxy is not None and proxy.process.poll() is not None:
            self.sink.emit(ProxyExited(pid=proxy.process.pid, status=proxy.process.poll()))
            raise SurroundingsError(
                what=f"The proxy {self.stage.cell.proxy} ended in mid-run with status {proxy.process.poll()}.",
                remedy="Read its log; this says nothing about gunicorn.",
                log=self.stage.run.logs / f"{self.stage.cell.proxy}.error.log",
            )

    def read_usage(self) -> Usage:
        """What the cores did so far, for all and for this run's servers; the ended load is among our children."""
        servers = [self.stage.gunicorn] + ([self.stage.proxy.process] if self.stage.proxy else [])
        return self.stage.backend.read_usage([server.pid for server in servers])


def find_load_tool(cell: Cell, backend: Backend) -> tools.Tool:
    """The load's program; SurroundingsError where it is missing."""
    return backend.find_tool(cell.load, f"--load {cell.load}")


def run_load(drive: Drive) -> None:
    """Drive the clients' address until the time is over or the evidence conclusive; emits ``load`` and ``answers``."""
    stage, cell = drive.stage, drive.stage.cell
    result = stage.run.logs / f"{cell.load}.result"
    command = Command(
        name=cell.load,
        argv=_render_load(drive),
        env={
            **base_environment(stage.places.home),
            **drive.tool.env,
            RESULT_VARIABLE: str(result),
            ENDING_VARIABLE: str(stage.places.load_ending),
            **(
                LOADS[cell.load].ledger_environment(cell, str(stage.run.logs / load_account.PREFIX))
                if cell.ledger
                else {}
            ),
        },
        cwd=stage.run.logs,
        stdout=stage.run.logs / f"{cell.load}.out.log",
        stderr=stage.run.logs / f"{cell.load}.error.log",
    )
    stage.places.load_ending.unlink(missing_ok=True)  # what ended an earlier load
    process = stage.backend.spawn(command)
    started_ns, before = now_ns(), drive.read_usage()  # afterwards: what starting it takes is not the load's
    drive.sink.emit(LoadStarted(client=cell.load, pid=process.pid))
    early = _follow_load(drive, process, started_ns)
    drive.sink.emit(Machine(foreign_share=round(foreign_share(before, drive.read_usage()), 3)))
    for file in (result, command.stdout, command.stderr):
        drive.stage.backend.fetch(file)
    _report_load(drive, process.poll(), result.read_text() if result.exists() else "", stopped_early=early)


def _render_load(drive: Drive) -> list[str]:
    """The load's argv, its script written into the record."""
    stage, load = drive.stage, LOADS[drive.stage.cell.load]
    if load.SCRIPT is not None:
        stage.run.write_text(f"config/{load.SCRIPT}", (fixtures_dir() / "load" / load.SCRIPT).read_text())
    address = stage.client_address
    url = address if address.startswith("unix:") else f"http://{address}/"
    script = str(stage.run.config / (load.SCRIPT or ""))
    return load.render_command(str(drive.tool.path), stage.cell, url=url, script=script)


def _follow_load(drive: Drive, process: Process, started_ns: int) -> bool:
    """Until the load has ended; True where it was told to end early."""
    cell, early, deadline_s = drive.stage.cell, False, drive.stage.cell.duration_s + LOAD_GRACE_S
    while process.poll() is None:
        drive.watch_pulse()
        elapsed_s = (now_ns() - started_ns) / 1e9
        if not early and is_conclusive(drive, started_ns):
            early = True
            deadline_s = elapsed_s + LOAD_GRACE_S
            _end_load(drive, process)
        if elapsed_s > deadline_s:
            process.stop()
            break
        drive.say(_describe(drive.progress, elapsed_s, cell))
        time.sleep(TICK_S)
    return early


def _end_load(drive: Drive, process: Process) -> None:
    """By SIGINT, which ends any load; the file, where the load can see it, spares wrk's threads a tenth of a second."""
    with suppress(OSError):
        drive.stage.places.load_ending.touch()
    process.interrupt()


def is_conclusive(drive: Drive, started_ns: int) -> bool:
    """Whether more load can't change the verdict: the socket file is gone and nobody is served, or enough was seen."""
    progress, cell = drive.progress, drive.stage.cell
    if drive.enough is not None and drive.enough(progress):
        return True
    if cell.full_duration:
        return False
    if progress.deleted_ns is not None:
        return progress.quiet_s(max(started_ns, progress.deleted_ns)) >= QUIET_S
    return drive.enough is None and cell.max_requests > 0 and progress.recycles >= max(cell.recycles, 1)


def _report_load(drive: Drive, status: int | None, text: str, *, stopped_early: bool) -> None:
    name, result = drive.stage.cell.load, parse_result(text)
    if result is None:
        failed = f"{name} ended with status {status} and left no result: {_last_words(drive)}"
        drive.sink.emit(LoadEnded(requests=0, statuses={}, errors={}, stopped_early=stopped_early, failed=failed))
        return
    for row in result.answers:
        drive.sink.emit(replace(row, at_ns=row.at_ns + drive.stage.backend.clock_offset_ns))
    ended = LoadEnded(
        requests=result.requests,
        statuses=dict(result.statuses),
        errors=dict(result.errors),
        stopped_early=stopped_early,
        failed=None if result.requests or sum(result.errors.values()) else f"{name} sent nothing that was answered",
        late=result.late,
        latency_ms=dict(result.latency_ms),
        pace=dict(result.pace),
    )
    drive.sink.emit(ended)


def _last_words(drive: Drive) -> str:
    logs, name = drive.stage.run.logs, drive.stage.cell.load
    said = [(logs / f"{name}.{kind}.log").read_text(errors="replace").strip().splitlines() for kind in ("error", "out")]
    return next((lines[-1] for lines in said if lines), "it said nothing")


def _describe(progress: Progress, elapsed_s: float, cell: Cell) -> str:
    socket = "" if cell.bind != "unix" else ", socket file GONE" if progress.deleted_ns else ", socket file there"
    answered = sum(progress.outcomes.values())
    return (
        f"load {elapsed_s:.1f} s: {answered:,} answers, {progress.failures:,} failed, "
        f"{progress.recycles} recycles{socket}"
    )


def settle(drive: Drive) -> None:
    """The load is off: until the service is whole again, or plainly isn't coming back, or has had its time."""
    started_ns = since_ns = now_ns()
    while (now_ns() - started_ns) / 1e9 < SETTLE_S + BOOTS * drive.boot_s:
        drive.watch_pulse()
        if _has_settled(drive, since_ns):
            return
        if since_ns == started_ns and drive.progress.deleted_ns and any(drive.progress.probes_since(since_ns, "proxy")):
            drive.pause_probes("proxy", LINGER_S)
            since_ns += int(LINGER_S * 1e9)
        drive.say(f"settling: {drive.progress.live_workers} of {drive.stage.cell.workers} workers live")
        time.sleep(SETTLE_TICK_S)


def _has_settled(drive: Drive, started_ns: int) -> bool:
    progress, stage = drive.progress, drive.stage
    ways = ["direct"] + ([] if stage.proxy is None else ["proxy"])
    probes = [progress.probes_since(started_ns, way) for way in ways]
    if any(len(way) < ENOUGH_PROBES for way in probes):
        return False
    if progress.arbiter_ended:
        return not any(ok for way in probes for ok in way)
    if progress.live_workers < stage.cell.workers or progress.steady_s < STEADY_S:
        return False
    if all(all(way[-ENOUGH_PROBES:]) for way in probes):
        return True
    return progress.deleted_ns is not None and not any(ok for way in probes for ok in way)
