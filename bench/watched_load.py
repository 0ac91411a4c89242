"""wrk's throughput on a release that holds, with and without the watchers: the same servers, the same load."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from harness.backends.local.backend import LocalBackend
from harness.core.model import Cell
from harness.core.paths import fixtures_dir
from harness.engine.readiness import await_ready
from harness.engine.recording import open_run
from harness.engine.request import RunRequest
from harness.engine.running_stack import running_stack
from harness.judge.ledger import load_account
from harness.provision import tools
from harness.provision.environments import Environment, prepare
from harness.provision.spec import parse_spec
from harness.stack.load import wrk
from harness.stack.load.result import RESULT_VARIABLE, parse_result
from harness.stack.programs import recipe_of
from harness.watch.event_log import EventSink
from harness.watch.watchers import LocalWatchers

HOLDING_RELEASE = "27.0.1"


def prepare_holding() -> Environment:
    """The environment of a release whose recycles lose nothing, so that both runs do the same work."""
    return prepare(parse_spec(HOLDING_RELEASE), python=None, worker="gthread", say=print)


def measure_rate(environment: Environment, *, watched: bool, duration_s: int, ledger: bool = False) -> float:
    """Answers of status 200 per second, as counted by the load's own script. ``ledger``: each request has an id."""
    cell = Cell(spec=HOLDING_RELEASE, trace=watched, ledger=ledger, duration_s=duration_s)
    with tempfile.TemporaryDirectory() as out, _servers(cell, environment, Path(out), watched) as (url, logs):
        result = logs / "wrk.result"
        script = fixtures_dir() / "load" / wrk.SCRIPT
        argv = wrk.render_command(
            str(tools.require_tool(recipe_of("wrk"), "the benchmark").path), cell, url=url, script=str(script)
        )
        env = {RESULT_VARIABLE: str(result)}
        env |= wrk.ledger_environment(cell, str(logs / load_account.PREFIX)) if ledger else {}
        started_s = time.monotonic()
        subprocess.run(argv, check=True, capture_output=True, env=env)
        spent_s = time.monotonic() - started_s
        said = parse_result(result.read_text())
    return said.statuses["200"] / spent_s if said else 0.0


class NoWatchers(LocalWatchers):
    """Watchers that look at nothing."""

    def watch_files(self, cell: Cell, *, logs: Path, socket: Path, trace: Path, site: str) -> None:
        """See ``LocalWatchers``; nothing is watched."""

    def watch_arbiter(self, pid: int, *, memory: bool = False) -> None:
        """See ``LocalWatchers``; nothing is watched."""


class UnwatchedBackend(LocalBackend):
    """Servers that nobody looks at."""

    def watchers(self, sink: EventSink) -> LocalWatchers:
        """See ``backends.Backend``."""
        return NoWatchers(sink)


@contextmanager
def _servers(cell: Cell, environment: Environment, out: Path, watched: bool) -> Iterator[tuple[str, Path]]:
    run = open_run(RunRequest(cell=cell, out=out), environment, lambda _text: None)
    make_backend = LocalBackend if watched else UnwatchedBackend
    with closing(run.sink), running_stack(run, environment, make_backend, with_load=False) as stack:
        await_ready(stack)
        if watched:
            stack.watchers.probe(stack.ways, ledger=cell.ledger)
        yield f"http://{stack.client_address}/", stack.logs
