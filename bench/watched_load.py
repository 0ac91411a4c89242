"""wrk's throughput on a release that holds, with and without the watchers: the same servers, the same load."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from harness.backends.local.backend import LocalBackend
from harness.core.clock import wait_until
from harness.core.model import Cell
from harness.core.paths import fixtures_dir
from harness.engine.stage import TRACE_FILE, make_places, plan_gunicorn, start_proxy
from harness.judge.ledger import load_account
from harness.provision import tools
from harness.provision.environments import Environment, prepare
from harness.provision.spec import parse_spec
from harness.records.store import create_run
from harness.stack.load import wrk
from harness.stack.load.result import RESULT_VARIABLE, parse_result
from harness.stack.programs import recipe_of
from harness.watch.event_log import EventSink
from harness.watch.prober import open_client
from harness.watch.progress import Progress
from harness.watch.watchers import LocalWatchers

HOLDING_RELEASE = "27.0.1"
BOOT_S = 20.0


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


@contextmanager
def _servers(cell: Cell, environment: Environment, out: Path, watched: bool) -> Iterator[tuple[str, Path]]:
    run = create_run(out, "bench")
    sink, backend = EventSink(run.path / "events.jsonl"), LocalBackend(run.run_id, run.path)
    watchers = LocalWatchers(sink)
    try:
        sink.listen(Progress().hear)
        places = make_places(backend)
        shown = replace(cell, gunicorn=environment.gunicorn_version)
        plan = plan_gunicorn(shown, run, places, python=str(environment.python), shims=environment.shims, settings=None)
        if watched:
            watchers.watch_files(shown, logs=run.logs, socket=places.socket, trace=run.logs / TRACE_FILE, site="")
        proxy = start_proxy(shown, run, places, backend, plan.address)
        if proxy is None:
            raise RuntimeError("the benchmark needs a proxy")
        gunicorn = backend.spawn(plan.command)
        address = f"127.0.0.1:{proxy.port}"
        with open_client(address) as client:
            if not wait_until(lambda: client.ask() == "200", timeout_s=BOOT_S, alive=lambda: gunicorn.poll() is None):
                raise RuntimeError("gunicorn did not answer")
        if watched:
            watchers.watch_arbiter(gunicorn.pid)
            watchers.probe({"direct": plan.address, "proxy": address}, ledger=cell.ledger)
        yield f"http://{address}/", run.logs
    finally:
        watchers.stop()
        backend.close()
        sink.close()
