from __future__ import annotations

import threading

import pytest

from harness.core.clock import now_ns
from harness.core.events.servers import GunicornLine, Proxied
from harness.watch.progress import Progress
from tests.unit.events import ARBITER, Record, at_ns, healthy


def _heard(record: Record) -> Progress:
    progress = Progress()
    for event in record.events:
        progress.hear(event)
    return progress


def test_a_healthy_run() -> None:
    progress = _heard(healthy())
    assert (progress.recycles, progress.live_workers, progress.booted_workers) == (2, 2, 4)
    assert (progress.deleted_ns, progress.arbiter_ended, progress.failures) == (None, False, 0)


def test_a_worker_that_said_it_restarts_is_counted_once_it_is_gone() -> None:
    record = Record().boots(1, 101).live(1, 101).log(2, 101, "restarting")
    assert _heard(record).recycles == 0
    assert _heard(record.live(3)).recycles == 1


def test_a_child_that_never_booted_as_a_worker_is_not_counted() -> None:
    assert _heard(Record().boots(1, 101).live(1, 101, 999)).live_workers == 1


@pytest.mark.parametrize("action", ["deleted", "moved"])
def test_the_first_time_the_path_vanished_is_kept(action: str) -> None:
    progress = _heard(Record().socket(1, "created", 7).socket(2, action).socket(3, "deleted"))
    assert at_ns(2) <= (progress.deleted_ns or 0) < at_ns(3)


def test_a_snapshot_or_a_bind_is_no_deletion() -> None:
    assert _heard(Record().socket(1, "created", 7).socket(2, "snapshot", None)).deleted_ns is None


def test_answers_of_the_proxy_are_counted_and_failures_among_them() -> None:
    record = Record().add(1, "proxied", statuses={"200": 5, "502": 3}).add(2, "proxied", statuses={"404": 1, "500": 1})
    progress = _heard(record)
    assert (progress.outcomes, progress.failures) == ({"200": 5, "502": 3, "404": 1, "500": 1}, 4)


@pytest.mark.parametrize(
    ("record", "success_s"),
    [
        (Record().add(1, "proxied", statuses={"200": 1}), 1.0),
        (Record().served(2, 101, 1), 2.0),
        (Record().probe(3, "direct", "200", took_s=0.5), 3.5),
        (Record().probe(3, "direct", "200").add(1, "proxied", statuses={"304": 1}), 3.002),
    ],
)
def test_the_last_success_on_any_way(record: Record, success_s: float) -> None:
    assert _heard(record).last_success_ns == pytest.approx(at_ns(success_s), abs=1000)


@pytest.mark.parametrize(
    "record",
    [
        Record().add(1, "proxied", statuses={"502": 1, "404": 1}),
        Record().add(1, "served", by_pid={"101": {"500": 1}}),
        Record().probe(1, "proxy", "timeout"),
    ],
)
def test_what_is_no_success(record: Record) -> None:
    assert _heard(record).last_success_ns is None


def test_how_long_nobody_was_answered() -> None:
    progress = Progress()
    now = now_ns()
    assert progress.quiet_s(now - 2_000_000_000) == pytest.approx(2.0, abs=0.5)
    progress.hear(Proxied(at_ns=now - 1_000_000_000, statuses={"200": 1}))
    assert progress.quiet_s(now - 2_000_000_000) == pytest.approx(1.0, abs=0.5)


def test_probes_since_a_moment_on_one_way() -> None:
    record = Record().probe(1, "proxy").probe(2, "proxy", "502").probe(2, "direct").probe(3, "proxy")
    assert _heard(record).probes_since(at_ns(2), "proxy") == [False, True]


def test_only_so_many_probes_are_remembered() -> None:
    assert len(_heard(Record().probes(range(500), "200", "proxy")).probes_since(0, "proxy")) == 200


def test_the_arbiters_end_is_noticed_until_another_is_started() -> None:
    record = Record().add(1, "arbiter", state="started", pid=ARBITER)
    assert not _heard(record).arbiter_ended
    record.add(2, "arbiter", state="exited", pid=ARBITER, status=1)
    assert _heard(record).arbiter_ended
    record.add(3, "arbiter", state="started", pid=ARBITER + 1)
    assert not _heard(record).arbiter_ended


def test_what_says_nothing_of_the_live_state_is_left_alone() -> None:
    assert _heard(Record().add(1, "tracer-problem", text="x").add(1, "machine", foreign_share=0.5)).recycles == 0


def test_it_may_be_read_while_it_listens() -> None:
    """Iterating over a set that another thread changes would raise."""
    progress, stop = Progress(), threading.Event()

    def listen() -> None:
        pid = 0
        while not stop.is_set():
            pid += 1
            for state in ("booted", "restarting"):
                progress.hear(GunicornLine(at_ns=pid, state=state, pid=pid, text=""))

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        counts = [progress.recycles for _ in range(2000)]
    finally:
        stop.set()
        thread.join()
    assert counts == sorted(counts)


def test_requests_and_memory_are_summed_up() -> None:
    """Samples count from the load on; before it, the workers are still booting."""
    sample = {"own_bytes": {"100": 5, "101": 7}, "unshared_bytes": 20, "file_bytes": 1}
    record = Record().served(-0.5, 101, 3).add(-0.4, "memory", **sample).phases(load=0.0)
    record.add(0.1, "memory", **sample).served(0.2, 102, 4)
    progress = _heard(record)
    assert (progress.served, progress.memory_bytes, progress.memory_samples) == (7, 12, 1)
