"""One release on one Python with one worker class: does it start and answer? Asked of the release, not the catalogue.

Nothing here knows what the catalogue claims about Pythons and gaps; only its pins and shims are applied. What does not
run as it is is tried with era shims.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from harness.backends.local.backend import LocalBackend
from harness.core.errors import HarnessError, UnrunnableError
from harness.core.model import Cell
from harness.engine.readiness import await_gunicorn
from harness.engine.recording import open_run
from harness.engine.request import RunRequest
from harness.engine.running_stack import running_stack
from harness.provision import environments
from harness.provision.releases import PythonLimit, Scope, load_catalogue, parse_minor
from harness.provision.spec import parse_spec
from harness.stack.workers import find_worker

THREADS = 2
"""With several, as in the original report; ``sync`` with threads is how its thread worker is started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What was tried, what the catalogue says against it (None: nothing), and what was seen (None: it answered)."""

    release: str
    python: str  # "3.6"
    worker: str
    claim: str | None
    failure: str | None
    shimmed: bool  # whether the claim is that it runs with era shims, and not without
    era_shims: tuple[str, ...]  # those with which it answered; none: it did without

    @property
    def surprising(self) -> bool:
        """Whether the catalogue says otherwise."""
        if self.claim is not None or self.failure is not None:
            return (self.claim is None) != (self.failure is None)
        return self.shimmed != bool(self.era_shims)


def try_release(release: str, python: str, worker: str, *, say: Callable[[str], None]) -> Trial:
    """Install and start a release, without h2o and load; its failures are data, as are those of installing it."""
    known, minor = load_catalogue(), parse_minor(python)
    claim = known.why_no_worker(release, worker) or known.why_not(release, minor, worker, shimmed=True)
    failure: str | None = None
    era_shims: tuple[str, ...] = ()
    try:
        _start(release, python, worker, say)
    except HarnessError as problem:
        failure = problem.what
        try:
            era_shims = _start(release, python, worker, say, limits=(_SHIMMED,))
            failure = None
        except HarnessError as again:
            failure = again.what
    return Trial(
        release=release,
        python=python,
        worker=worker,
        claim=claim,
        failure=failure,
        shimmed=claim is None and known.why_not(release, minor, worker) is not None,
        era_shims=era_shims,
    )


_SHIMMED = PythonLimit(
    scope=Scope(releases="", python="", workers=()),
    oldest=None,
    newest=(3, 0),
    reason="this trial is one with era shims",
    era=("all",),
)
"""Where this is all that is known, every release is run with what era shims it has a use for."""


def _start(
    release: str, python: str, worker: str, say: Callable[[str], None], limits: tuple[PythonLimit, ...] = ()
) -> tuple[str, ...]:
    """Install, start and ask; gives the era shims that were applied."""
    open_minded = replace(load_catalogue(), limits=limits, gaps=())
    environment = environments.prepare(
        parse_spec(release), python=python, worker=worker, say=say, catalogue=open_minded, era_shims=bool(limits)
    )
    cell = Cell(spec=release, worker=worker, workers=1, max_requests=0, proxy="none")
    cell = replace(cell, threads=THREADS if find_worker(worker).has_threads else 1)
    with closing(environment), tempfile.TemporaryDirectory(prefix="recycle-trial-") as folder:
        run = open_run(RunRequest(cell=cell, out=Path(folder)), environment, say)
        with closing(run.sink), running_stack(run, environment, LocalBackend, with_load=False) as stack:
            await_gunicorn(stack)
            _check_worker(stack.cell, (stack.logs / "gunicorn.error.log").read_text())
            return environment.era_shims


def _check_worker(cell: Cell, log: str) -> None:
    """UnrunnableError where another worker class came up than was meant: settings that nobody knows are ignored."""
    said = re.search(r"Using worker: (\S+)", log)
    names = {cell.worker, "threads"} if find_worker(cell.worker).has_threads else {cell.worker}
    if said is None or said[1] not in names:
        raise UnrunnableError(what=f"gunicorn {cell.gunicorn} started the worker {said and said[1]}, not {cell.worker}")
