"""Pinned gunicorns behind h2o under the load of wrk: the socket file survives, and no 502 comes back.

What is known to be broken is expected to fail, strictly, and only by its assertion: a release that starts to pass is
noticed, and so is a run that breaks for another reason.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from harness.core.model import Cell, Outcome

if TYPE_CHECKING:
    from _pytest.mark import ParameterSet

    from harness.pytest_plugin.judged_run import RecycleRun
    from harness.pytest_plugin.load_driver import Load
    from harness.pytest_plugin.scene import GunicornServer


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One release as it is started, and the findings that it is known for."""

    release: str
    worker: str = "gthread"
    bind: str = "unix"
    known: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.release}-{self.worker}-{self.bind}"


BEFORE = Subject(release="19.5.0", known=("failed-responses",))
REPORTED = Subject(release="19.6.0", known=("socket-deleted", "permanent-outage"))
REPORTED_SYNC = Subject(release="19.6.0", worker="sync")
REPORTED_TCP = Subject(release="19.6.0", bind="tcp", known=("failed-responses",))
SHIMMED = Subject(release="19.7.1", known=("failed-responses",))
LATER = Subject(release="23.0.0", known=("failed-responses",))
RECENT = Subject(release="27.0.1")

ON_UNIX = (BEFORE, REPORTED, REPORTED_SYNC, SHIMMED, LATER, RECENT)
ALL = (*ON_UNIX, REPORTED_TCP)
TO_THE_END = tuple(subject for subject in ALL if subject is not REPORTED)
"""Those whose load goes on until enough workers have restarted; without its socket file none gets requests."""


def rows(subjects: Collection[Subject], *, broken_by: Collection[str] = ()) -> list[ParameterSet]:
    """One row a subject; those with a finding of ``broken_by`` are expected to fail, and the reason names it."""
    table = []
    for subject in subjects:
        named = [finding for finding in subject.known if finding in broken_by]
        marks = [pytest.mark.xfail(reason=", ".join(named), strict=True, raises=AssertionError)] if named else []
        table.append(pytest.param(subject, id=str(subject), marks=marks))
    return table


@pytest.fixture
def gunicorn_release(subject: Subject) -> str:
    """Of the table, whatever --gunicorn says: what is expected is known for these only."""
    return subject.release


@pytest.fixture
def recycle_cell(recycle_cell: Cell, subject: Subject) -> Cell:
    """Small and short: some ten restarts in half a second of load, and no more clients than two cores can serve."""
    return replace(
        recycle_cell,
        worker=subject.worker,
        threads=1 if subject.worker == "sync" else 5,
        bind=subject.bind,
        workers=2,
        max_requests=64,
        recycles=8,
        connections=20,
        load_threads=2,
    )


@pytest.mark.parametrize("subject", rows(ON_UNIX, broken_by=["socket-deleted"]))
def test_the_socket_file_survives(recycle_run: RecycleRun) -> None:
    assert recycle_run.socket_survived


@pytest.mark.parametrize("subject", rows(ALL, broken_by=["failed-responses", "permanent-outage"]))
def test_no_502_comes_back(recycle_run: RecycleRun) -> None:
    assert recycle_run.statuses[502] == 0


@pytest.mark.parametrize("subject", rows(ALL))
def test_what_is_found_is_what_is_known(recycle_run: RecycleRun, subject: Subject) -> None:
    assert set(subject.known) <= set(recycle_run.findings)
    assert ("socket-deleted" in recycle_run.findings) == ("socket-deleted" in subject.known)
    assert "permanent-outage" not in recycle_run.findings or "permanent-outage" in subject.known
    assert recycle_run.outcome is (Outcome.VIOLATED if subject.known else Outcome.HOLDS)


@pytest.mark.parametrize("subject", rows(TO_THE_END))
def test_workers_come_back(recycle_run: RecycleRun) -> None:
    assert recycle_run.workers_respawned
    assert recycle_run.live_workers == 2


@pytest.mark.parametrize("subject", rows([REPORTED]))
def test_a_recycled_thread_worker_deletes_the_socket_file(recycle_run: RecycleRun) -> None:
    culprit = recycle_run.culprit
    assert culprit is not None
    assert (culprit.role, culprit.call) == ("worker", "os.unlink")
    functions = [(frame.partition(":")[0], frame.rpartition(" ")[2]) for frame in culprit.stack]
    assert functions[-2:] == [("gunicorn/workers/gthread.py", "run"), ("gunicorn/sock.py", "close")]


@pytest.mark.parametrize("subject", rows([SHIMMED]))
def test_a_shim_is_on_record(recycle_run: RecycleRun) -> None:
    """On a newer Python than the release knew, shims for its standard library are recorded beside it."""
    names = [shim["name"] for shim in recycle_run.facts["gunicorn"]["shims"]]
    assert "hide-so-reuseport" in names
    for name in names:
        assert any(name in line for line in recycle_run.facts["deviations"])


@pytest.mark.parametrize("subject", rows([REPORTED]))
def test_the_first_recycle_takes_the_socket_file_away(gunicorn_server: GunicornServer, recycle_load: Load) -> None:
    """The parts one by one: before any worker restarts all is well, and the arbiter outlives its socket file."""
    assert gunicorn_server.version == "19.6.0"
    assert gunicorn_server.socket is not None
    assert gunicorn_server.recycles == 0
    assert gunicorn_server.socket.exists()
    answers = recycle_load(duration_s=5, recycles=1)
    assert answers.statuses[200] > 0
    assert not gunicorn_server.socket.exists()
    assert gunicorn_server.alive()


@pytest.mark.parametrize("subject", rows([RECENT]))
def test_a_server_of_ones_own(gunicorn_server: GunicornServer, recycle_load: Load) -> None:
    answers = recycle_load(duration_s=10, recycles=4)
    assert gunicorn_server.recycles >= 4
    assert answers.statuses[502] == 0
    assert answers.statuses.total() == answers.requests == answers.statuses[200]
    assert gunicorn_server.socket is not None
    assert gunicorn_server.socket.exists()
