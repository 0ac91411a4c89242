from __future__ import annotations

import pytest

from harness.core.findings import FindingId
from harness.core.model import State
from harness.judge.restarts import chance_of, is_near_restart, restart_share, restart_spans
from tests.unit.events import Record, at_ns, healthy

NAME = "requests-answered"


def test_restarts_cover_the_time_from_the_limit_to_the_end() -> None:
    spans = restart_spans(healthy().observe())
    (first, second) = [((begin - at_ns(0)) / 1e9, (end - at_ns(0)) / 1e9) for begin, end in spans]
    assert first == pytest.approx((0.9, 1.2), abs=1e-3)
    assert second == pytest.approx((1.9, 2.2), abs=1e-3)
    assert is_near_restart(spans, at_ns(1.0))
    assert not is_near_restart(spans, at_ns(1.5))
    assert restart_share(healthy().observe(), spans) == pytest.approx(0.12, abs=1e-3)


def test_a_line_of_the_limit_that_was_read_after_the_end_is_no_later_begin() -> None:
    record = healthy().remove("log", state="restarting", pid=101).log(1.4, 101, "restarting")
    first = restart_spans(record.observe())[0]
    assert [(ns - at_ns(0)) / 1e9 for ns in first] == pytest.approx((1.0, 1.2), abs=1e-3)


@pytest.mark.parametrize(
    ("near", "total", "share", "chance"), [(0, 5, 0.1, 1.0), (5, 5, 0.1, 1e-5), (5, 5, 1.0, 1.0), (1, 2, 0.5, 0.75)]
)
def test_the_chance_of_so_many_near_a_restart(near: int, total: int, share: float, chance: float) -> None:
    assert chance_of(near, total, share) == pytest.approx(chance)


def test_bursts_at_restarts_that_are_rare_are_told_as_such() -> None:
    record = healthy().answers(1.02, s502=1).answers(2.02, s502=1)
    (finding,) = record.ask(NAME).findings
    assert "2 of them while a worker restarted, though restarts cover 12% of the load only" in finding.detail


def _silent(record: Record, *, failed_by_tenth: list[list[int]] | None = None, **changes: int) -> Record:
    """A ledger in which two requests failed before they came to gunicorn."""
    endings = {"answered": 978, "failed_before_gunicorn": 2, **changes}
    return record.add(
        6.2, "ledger", state="closed", counts=endings, by_client={"load": endings}, failed_by_tenth=failed_by_tenth
    )


def test_a_proxy_that_has_nothing_to_say_of_gunicorn_is_in_doubt() -> None:
    judgement = _silent(healthy().answers(3.0, s502=2)).ask(NAME)
    assert judgement.state is State.UNKNOWN
    assert "the proxy may be the one at fault" in judgement.reason


@pytest.mark.parametrize(
    ("sent_s", "of_gunicorn"),
    [((1.0, 2.0, 3.0), True), ((1.0, 1.1, 2.1, 3.0), True), ((1.0, 2.0), False), ((1.0, 2.0, 3.0, 3.6), False)],
)
def test_failures_that_come_with_restarts_only_are_no_doubt_about_a_silent_proxy(
    sent_s: tuple[float, ...], *, of_gunicorn: bool
) -> None:
    """Restarts cover a fifth of the load: that two of two came with one may be chance, three of three not."""
    record = healthy().restarts(3.0, 103, served=100).live(3.1, 104).boots(3.2, 105).live(3.21, 104, 105)
    record.remove("workers", final=True).live(5.96, 104, 105, final=True)
    record.remove("phase", name="settle").phases(settle=5.9)
    record.reload_ended(statuses={"200": 980}, errors={"closed": len(sent_s)})
    by_tenth = [[at_ns(second), 1] for second in sent_s]
    judgement = _silent(record, failed_before_gunicorn=len(sent_s), failed_by_tenth=by_tenth).ask(NAME)
    assert judgement.state is (State.VIOLATED if of_gunicorn else State.UNKNOWN), judgement.reason


@pytest.mark.parametrize("evidence", ["the proxy's log", "the ledger", "a direct probe", "no ledger"])
def test_failures_that_gunicorn_had_a_part_in_are_its_own(evidence: str) -> None:
    record = healthy().answers(3.0, s502=2)
    if evidence != "no ledger":
        record = _silent(record, failed_after_gunicorn=int(evidence == "the ledger"))
    if evidence == "the proxy's log":
        record.add(3.0, "proxy_errors", reasons={"closed": 2})
    if evidence == "a direct probe":
        record.probe(3.0, "direct", "closed")
    judgement = record.ask(NAME)
    assert judgement.state is State.VIOLATED
    assert [finding.id for finding in judgement.findings] == [FindingId.FAILED_RESPONSES]


def test_a_harness_that_got_no_time_for_a_moment_widens_what_counts_as_near() -> None:
    record = healthy().add(1.0, "stall", gap_ns=200_000_000)
    begin, end = restart_spans(record.observe())[0]
    assert ((begin - at_ns(0)) / 1e9, (end - at_ns(0)) / 1e9) == pytest.approx((0.7, 1.4), abs=1e-3)


def test_a_short_stall_is_no_standstill() -> None:
    observations = healthy().add(1.0, "stall", gap_ns=200_000_000).add(2.0, "stall", gap_ns=600_000_000).observe()
    assert [stall.gap_ns for stall in observations.stalls] == [600_000_000]
    assert [stall.gap_ns for stall in observations.short_stalls] == [200_000_000]


def test_a_short_stall_excuses_no_time_out() -> None:
    record = healthy().add(1.0, "stall", gap_ns=200_000_000).probe(3.0, "proxy", "timeout", took_s=2.0)
    assert record.ask(NAME).state is State.VIOLATED
