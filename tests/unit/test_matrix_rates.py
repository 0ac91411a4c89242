from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from harness.core.findings import FindingId
from harness.core.model import Outcome
from harness.studies.chance.difference import RunSample
from harness.studies.matrix.rates import ANYTHING, is_hidden, rate_failures, rate_findings, share_of_restarts, tally
from harness.studies.matrix.result import RunResult
from tests.unit.matrices import a_run

DELETED, FAILED = FindingId.SOCKET_DELETED.value, FindingId.FAILED_RESPONSES.value
OUTAGE = FindingId.PERMANENT_OUTAGE.value


def lossy(bursts: int | None, recycles: int = 10, failed: int = 0, requests: int = 1000) -> RunResult:
    run = a_run(FAILED) if failed else a_run()
    return replace(run, bursts=bursts, recycles=recycles, failed=failed, requests=requests)


def test_a_finding_is_counted_in_the_runs_that_were_judged() -> None:
    runs = [a_run(FAILED), a_run(), a_run(), a_run(outcome=Outcome.INCONCLUSIVE), a_run(outcome=Outcome.ERROR)]
    (rate,) = rate_findings(runs, [FAILED])
    assert (rate.finding, rate.seen, rate.runs, rate.hidden) == (FAILED, 1, 3, 0)
    assert round(rate.interval.low, 4) == 0.0084
    assert round(rate.interval.high, 4) == 0.9057


def test_a_cell_without_a_finding_says_how_often_one_may_still_be() -> None:
    (rate,) = rate_findings([a_run(), a_run(), a_run()], [])
    assert (rate.finding, rate.seen, rate.runs) == (ANYTHING, 0, 3)
    assert (rate.interval.low, round(rate.interval.high, 3)) == (0.0, 0.708)
    (unseen,) = rate_findings([a_run()], [], blind=[FAILED])
    assert unseen.interval.high == 1.0, "these settings can't tell"
    assert rate_findings([a_run(outcome=Outcome.ERROR)], []) == ()


def test_what_another_fault_hides_is_no_sign_of_absence() -> None:
    gone = a_run(DELETED, OUTAGE)
    idle = replace(a_run(FindingId.MAX_REQUESTS_IGNORED.value), recycles=0)
    assert is_hidden(gone, FAILED)
    assert is_hidden(idle, FAILED)
    assert not is_hidden(gone, DELETED)
    assert not is_hidden(a_run(), FAILED)
    assert is_hidden(a_run(), FAILED, blind=[FAILED])
    assert tally([gone, a_run(FAILED), a_run()], FAILED) == RunSample(seen=1, runs=2, hidden=1)
    (rate,) = rate_findings([gone, gone, a_run(FAILED)], [FAILED])
    assert (rate.seen, rate.runs, rate.hidden, rate.interval.high) == (1, 3, 2, 1.0)


def test_what_the_judge_could_not_tell_is_no_sign_of_absence() -> None:
    unsure = replace(a_run(FindingId.SOCKET_LEFT_BEHIND.value), untold=(FAILED,))
    assert is_hidden(unsure, FAILED)
    assert not is_hidden(unsure, DELETED)
    assert tally([unsure, a_run(FAILED), a_run()], FAILED) == RunSample(seen=1, runs=2, hidden=1)
    told = [lossy(2, failed=40), lossy(0)]
    assert rate_failures([*told, replace(unsure, bursts=0)]) == rate_failures(told)
    assert share_of_restarts([*told, replace(unsure, bursts=0)]) == share_of_restarts(told)


def test_losses_are_rated_per_restart_and_per_request() -> None:
    per_recycle, per_request = rate_failures([lossy(2, failed=40), lossy(4, failed=90), lossy(3, failed=50)])
    assert (per_recycle.name, per_recycle.lost, per_recycle.total, per_recycle.unit) == ("per_recycle", 9, 30, "run")
    assert (per_request.name, per_request.lost, per_request.total) == ("per_request", 180, 3000)
    assert per_recycle.interval.low < per_recycle.estimate == 0.3 < per_recycle.interval.high
    assert per_request.interval.low < per_request.estimate == 0.06 < per_request.interval.high
    assert per_request.interval.high - per_request.interval.low > 0.03, "far wider than that of 3,000 single requests"


def test_where_nothing_was_lost_the_bound_is_that_of_the_restarts() -> None:
    per_recycle, per_request = rate_failures([lossy(0), lossy(0)])
    assert (per_recycle.estimate, per_recycle.unit, round(per_recycle.interval.high, 3)) == (0.0, "restart", 0.168)
    assert per_request.interval == per_recycle.interval


def test_runs_that_say_nothing_of_restarts_are_left_out() -> None:
    outage = replace(a_run(OUTAGE), bursts=0)
    assert rate_failures([outage]) == ()
    assert rate_failures([lossy(None)]) == ()
    assert rate_failures([lossy(1, failed=3), lossy(None, failed=3)]) == (), "an old record does not say"
    assert share_of_restarts([outage, lossy(5), lossy(10), lossy(None)]) == RunSample(seen=1.5, runs=2)


@given(st.lists(st.tuples(st.integers(0, 10), st.integers(10, 30), st.integers(0, 300)), min_size=1, max_size=8))
def test_every_rate_lies_within_its_interval(rows: list[tuple[int, int, int]]) -> None:
    runs = [lossy(bursts, recycles, failed) for bursts, recycles, failed in rows]
    for rate in rate_failures(runs):
        assert 0 <= rate.interval.low <= rate.estimate <= rate.interval.high <= 1
