"""Drives the load: starts it, watches the processes meanwhile, ends it once enough was seen, and records its result.

It decides when there is enough evidence. What the evidence means, the judge decides later, from the record.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from harness.backends import Command, Process
from harness.core.clock import now_ns
from harness.core.events.clients import AnswerTimes, LoadEnded, LoadStarted
from harness.core.events.course import Machine
from harness.core.model import Cell, is_error
from harness.core.paths import fixtures_dir
from harness.core.signals import pause
from harness.disturb import begin
from harness.disturb.course import Course
from harness.engine.disturbing import DisturbedService
from harness.engine.pulse import watch_pulse
from harness.engine.running_stack import Stack, find_load_tool
from harness.engine.servers import base_environment
from harness.engine.stops import StopWatch
from harness.judge.ledger import load_account
from harness.provision import tools
from harness.stack.answers import TEXT, TEXT_VARIABLE, sends_ids_back
from harness.stack.asked import ASKED, REQUEST_VARIABLE
from harness.stack.load import LOADS
from harness.stack.load.result import ENDING_VARIABLE, RESULT_VARIABLE, parse_result
from harness.watch.machine import Usage, foreign_share
from harness.watch.progress import Progress


def run_load(stack: Stack, command: Command) -> None:
    """Drive the clients' address until the time is over or enough was seen; emits ``load`` and ``answers``.

    ``command``: see ``make_load``.

    Raises:
        SurroundingsError: the load's program can't be started; the proxy died; the record can't be written.
    """
    cell, backend = stack.cell, stack.backend
    result = _result_file(stack)
    stack.scratch.load_ending.unlink(missing_ok=True)  # the file that ended an earlier load
    process = backend.spawn(command)
    course, machine = begin(DisturbedService(stack)), MachineWatch(stack)  # the time to start the load is not counted
    stack.sink.emit(LoadStarted(client=cell.load, pid=process.pid))
    early = _follow_load(stack, process, course, machine)
    stack.sink.emit(Machine(foreign_share=round(machine.foreign_share(), 3)))
    for file in (result, command.stdout, command.stderr):
        backend.fetch(file)
    _record_load(stack, process.poll(), result.read_text() if result.exists() else "", stopped_early=early)


def _result_file(stack: Stack) -> Path:
    return stack.logs / f"{stack.cell.load}.result"


def make_load(stack: Stack) -> Command:
    """The load's command, whose script and request are written into the record.

    Raises:
        SurroundingsError: the load's program is missing; the record can't be written.
    """
    cell, load = stack.cell, LOADS[stack.cell.load]
    tool = find_load_tool(cell, stack.backend)
    env = {
        **base_environment(stack.scratch.home),
        **tool.env,
        RESULT_VARIABLE: str(_result_file(stack)),
        **({TEXT_VARIABLE: TEXT.decode()} if sends_ids_back(cell) else {}),
        ENDING_VARIABLE: str(stack.scratch.load_ending),
    }
    if stack.asked != ASKED:
        stack.run.folder.write_text(f"config/{load.REQUEST_FILE}", load.render_request(stack.asked))
        env[REQUEST_VARIABLE] = str(stack.run.folder.config / load.REQUEST_FILE)
    if cell.ledger:
        env |= load.ledger_environment(cell, str(stack.logs / load_account.PREFIX))
    return Command(
        name=cell.load,
        argv=_render_argv(stack, tool),
        env=env,
        cwd=stack.logs,
        stdout=stack.logs / f"{cell.load}.out.log",
        stderr=stack.logs / f"{cell.load}.error.log",
    )


def _render_argv(stack: Stack, tool: tools.Tool) -> list[str]:
    """The load's argv; writes its script into the record."""
    load, folder = LOADS[stack.cell.load], stack.run.folder
    if load.SCRIPT is not None:
        folder.write_text(f"config/{load.SCRIPT}", (fixtures_dir() / "load" / load.SCRIPT).read_text())
    address = stack.client_address
    url = address if address.startswith("unix:") else f"http://{address}{stack.asked.path}"
    return load.render_command(str(tool.path), stack.cell, url=url, script=str(folder.config / (load.SCRIPT or "")))


class MachineWatch:
    """The CPU time of all cores and of this run's servers, from now on; an ended load counts among our children."""

    PERIOD_S = 0.1

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._before = self._last = self._read()

    def look(self) -> None:
        """Read again, every PERIOD_S at the most: what ends without a parent is known from the last look alone."""
        if now_ns() - self._last.at_ns >= self.PERIOD_S * 1e9:
            self._last = self._read()

    def foreign_share(self) -> float:
        """The share of all cores, 0 to 1, that others used up to now."""
        return foreign_share(self._before, self._read())

    def _read(self) -> Usage:
        servers = [self._stack.gunicorn] + ([self._stack.proxy.process] if self._stack.proxy else [])
        return self._stack.backend.read_usage([server.pid for server in servers])


def _follow_load(stack: Stack, process: Process, course: Course, machine: MachineWatch) -> bool:
    """Wait until the load has ended; return whether it was ended early."""
    timings, started_ns = stack.timings, now_ns()
    early, deadline_s, stops = False, stack.cell.duration_s + timings.load_grace_s, StopWatch()
    while process.poll() is None:
        watch_pulse(stack)
        machine.look()
        stops.look(stack.sink, {"load": process})
        course.advance()
        elapsed_s = (now_ns() - started_ns) / 1e9
        if not early and is_enough(stack, course):
            early = True
            deadline_s = elapsed_s + timings.load_grace_s
            _end_load(stack, process)
        if elapsed_s > deadline_s:
            process.stop()
            break
        stack.run.say(_describe(stack.progress, elapsed_s, stack.cell))
        pause(timings.short_tick_s if early or stack.progress.deleted_ns is not None else timings.tick_s)
    return early


def is_enough(stack: Stack, course: Course) -> bool:
    """Whether more load can't change the verdict."""
    enough = stack.run.request.enough
    if enough is not None and enough(stack.progress):
        return True
    if stack.cell.full_duration:
        return False
    return course.is_down_for_good() or (enough is None and course.is_complete())


def _end_load(stack: Stack, process: Process) -> None:
    """End the load by SIGINT, and by a file that wrk's threads, if they see it, notice a tenth of a second sooner."""
    with suppress(OSError):
        stack.scratch.load_ending.touch()
    process.interrupt()


def _record_load(stack: Stack, status: int | None, text: str, *, stopped_early: bool) -> None:
    name, result = stack.cell.load, parse_result(text)
    if result is None:
        failed = f"{name} ended with status {status} and left no result: {_last_words(stack)}"
        stack.sink.emit(LoadEnded(requests=0, statuses={}, errors={}, stopped_early=stopped_early, failed=failed))
        return
    offset_ns, compared = stack.backend.clock_offset_ns, sends_ids_back(stack.cell)
    for row in result.answers:
        by_app = (row.by_app or {}) if compared and any(map(is_error, row.outcomes)) else row.by_app
        stack.sink.emit(replace(row, at_ns=row.at_ns + offset_ns, by_app=by_app))
    for at_ns, took in result.took.items():
        stack.sink.emit(AnswerTimes(at_ns=at_ns + offset_ns, took=took))
    ended = LoadEnded(
        requests=result.requests,
        statuses=dict(result.statuses),
        errors=dict(result.errors),
        stopped_early=stopped_early,
        failed=None if result.requests or sum(result.errors.values()) else f"{name} sent nothing that was answered",
        late=result.late,
        latency_ms=dict(result.latency_ms),
        pace=dict(result.pace),
        compared=compared,
    )
    stack.sink.emit(ended)


def _last_words(stack: Stack) -> str:
    name = stack.cell.load
    logs = [stack.logs / f"{name}.{kind}.log" for kind in ("error", "out")]
    said = [log.read_text(errors="replace").strip().splitlines() for log in logs]
    return next((lines[-1] for lines in said if lines), "it said nothing")


def _describe(progress: Progress, elapsed_s: float, cell: Cell) -> str:
    socket = "" if cell.bind != "unix" else ", socket file GONE" if progress.deleted_ns else ", socket file there"
    answered = sum(progress.outcomes.values())
    return (
        f"load {elapsed_s:.1f} s: {answered:,} answers, {progress.failures:,} failed, "
        f"{progress.recycles} recycles{socket}"
    )
