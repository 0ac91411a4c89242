from __future__ import annotations

from harness.core.model import Moment
from harness.judge.story import tell
from tests.unit.events import ARBITER, Record, healthy


def _told(record: Record) -> list[str]:
    return [moment.what for moment in tell(record.observe())]


def test_a_healthy_run_in_order() -> None:
    assert _told(healthy()) == [
        "gunicorn and the proxy are started",
        "gunicorn has bound the socket file",
        "the load begins",
        "worker 101 is the first to end by max_requests, after 100 requests",
        "worker 102 is the last of 2 to do so",
        "the load has ended; the service may settle",
        "the record is closed",
    ]


def test_nothing_happened_in_an_empty_record() -> None:
    assert tell(Record().observe()) == ()


def test_a_deletion_and_what_followed() -> None:
    record = healthy().answers(3.05, s502=4).removal(2.999, 101).gone(3.0).outage(3.2)
    told = _told(record)
    wanted = [
        "worker 101 calls os.unlink on the socket file",
        "the socket file is gone",
        "the load sees its first failure (502)",
        "the last answer of success",
        "the first probe fails (proxy: 502)",
    ]
    assert [what for what in told if what in wanted] == wanted


def test_an_attempt_that_failed_removed_nothing() -> None:
    told = _told(healthy().removal(2.999, 101, failed="ENOENT").gone(3.0))
    assert not [what for what in told if "calls" in what]


def test_moments_are_rounded_seconds_since_the_load() -> None:
    assert tell(healthy().observe())[0] == Moment(at_s=-0.5, what="gunicorn and the proxy are started")


def test_a_replacement_crashes_ends_stalls_and_meddling_are_told() -> None:
    record = healthy().socket(2.5, "created", 9).log(3.0, 103, "crashed").log(3.1, 104, "crashed")
    record.log(3.2, ARBITER, "asked-to-stop").add(3.5, "arbiter", state="exited", pid=ARBITER, status=0)
    told = _told(record.add(3.6, "proxy", state="exited").add(4.0, "stall", gap_ns=600_000_000))
    for wanted in (
        "the path names another file (inode 9)",
        "worker 103 fails: unhandled exception (and 1 more)",
        "somebody else sends gunicorn a signal",
        "the arbiter ended with status 0",
        "the proxy ended",
        "the machine stood still for 0.6 s",
    ):
        assert wanted in told


def test_the_first_failure_of_several_is_told_with_its_kinds() -> None:
    record = healthy().answers(1.0, s200=5, s502=1, s500=1).answers(2.0, s504=1)
    record.probe(1.5, "direct", "closed").probe(2.5, "proxy", "timeout")
    moments = {moment.what: moment.at_s for moment in tell(record.observe())}
    assert moments["the load sees its first failure (500, 502)"] == 1.0
    assert moments["the first probe fails (direct: closed)"] == 1.5


def test_a_failure_before_the_deletion_that_it_comes_from_is_explained() -> None:
    told = _told(healthy().answers(2.995, s502=4).removal(2.999, 101).gone(3.0))
    assert (
        "the load sees its first failure (502): in the same 10 ms as the deletion, and told with their beginning"
        in told
    )
    early = _told(healthy().answers(2.9, s502=4).removal(2.999, 101).gone(3.0))
    assert "the load sees its first failure (502)" in early
