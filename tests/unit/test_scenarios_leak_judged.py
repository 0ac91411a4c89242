"""The scenario ``leak`` judged from synthetic records, in both directions, and what must never be called a leak."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.core.errors import UsageError
from harness.core.findings import FindingId
from harness.core.model import Outcome, State, Verdict
from harness.judge.record import judge_record
from harness.judge.scenarios import JUDGES
from harness.judge.scenarios.bound import Leak, promise, recommend
from harness.judge.scenarios.memory import Sample, find_growth
from harness.report.as_json import verdict_to_json
from tests.unit.events import Record, event
from tests.unit.leaks import CELL, MB, App, arm, arms, judge, trial

Grow: TypeAlias = Callable[[float], float]

LEAKING = App()
TIGHT = App(leak=0.0)


def scenario(verdict: Verdict) -> dict[str, Any]:
    found = verdict_to_json(verdict, run_id="x", story=())["scenario"]
    assert isinstance(found, dict)
    json.dumps(found, allow_nan=False)
    return found


def test_a_leak_with_restarts_stays_in_bounds() -> None:
    verdict = judge(*arms(LEAKING), leak="objects", leak_bytes=32_000)
    assert verdict.outcome is Outcome.HOLDS, verdict.reasons
    told = scenario(verdict)
    assert (told["arms"]["without"]["memory"], told["arms"]["with"]["memory"]) == ("grows", "bounded")
    slope = told["arms"]["without"]["bytes_per_request"]
    assert slope["slope"] == pytest.approx(32_000, rel=0.005)
    assert slope["low"] < slope["slope"] < slope["high"] < slope["low"] + 1_000
    # 10 MB of the arbiter, and twice 12 MB + 6 MB that was shared + 240 requests of 32 kB
    assert told["arms"]["with"]["promised_bytes"] == pytest.approx(10 * MB + 2 * (18 * MB + 240 * 32_000), rel=0.02)
    assert told["arms"]["with"]["peak_bytes"] <= told["arms"]["with"]["promised_bytes"]
    assert "without, it grows on and on" in told["answer"]


def test_a_leak_that_restarts_do_not_stop_is_unbounded() -> None:
    """The workers announce no restart and live on."""
    verdict = judge(*arms(LEAKING, restarts=False), leak="objects", leak_bytes=32_000)
    assert verdict.outcome is Outcome.VIOLATED
    assert verdict.findings[0].id is FindingId.MEMORY_UNBOUNDED
    assert verdict.invariants["memory-bounded"] is State.VIOLATED
    assert "although workers should restart after 200 requests" in scenario(verdict)["answer"]


def test_an_arbiter_that_keeps_something_of_each_worker_is_unbounded() -> None:
    verdict = judge(*arms(TIGHT, other=App(leak=0.0, arbiter_leak=4 * MB)), leak="none")
    assert [finding.id for finding in verdict.findings] == [FindingId.MEMORY_UNBOUNDED]


def test_workers_that_restart_late_break_the_promise_and_stay_in_bounds() -> None:
    """As gevent's do: they look at their count once a second."""
    verdict = judge(*arms(LEAKING, requests=8000, late=400), leak="objects", leak_bytes=32_000, limit_mb=100)
    assert [finding.id for finding in verdict.findings] == [FindingId.RECYCLED_LATE]
    assert verdict.invariants["memory-bounded"] is State.HOLDS
    told = scenario(verdict)
    assert told["arms"]["with"]["peak_bytes"] > 1.15 * told["arms"]["with"]["promised_bytes"]
    assert "served up to 6" in verdict.invariant_reasons["memory-bounded"]
    assert told["recommendation"]["max_requests"] < 400


def test_an_app_that_does_not_leak_holds_without_restarts() -> None:
    verdict = judge(*arms(TIGHT), leak="none", leak_bytes=32_000)
    assert verdict.outcome is Outcome.HOLDS, verdict.reasons
    told = scenario(verdict)
    assert (told["arms"]["without"]["memory"], told["arms"]["with"]["memory"]) == ("bounded", "bounded")
    assert "no leak was found" in told["answer"]


def test_a_cache_that_fills_up_is_no_leak() -> None:
    verdict = judge(*arms(App(leak=0.0, cache=10 * MB)))
    assert scenario(verdict)["arms"]["without"]["memory"] == "bounded"
    assert verdict.outcome is Outcome.HOLDS, verdict.reasons


def test_a_leak_beside_a_cache_is_a_leak() -> None:
    without = scenario(judge(*arms(App(cache=10 * MB))))["arms"]["without"]
    assert without["memory"] == "grows"
    assert without["bytes_per_request"]["slope"] == pytest.approx(32_000, rel=0.1)


def test_a_slow_leak_is_not_called_none() -> None:
    """100 bytes a request are 440 kB in this run: seen, but less than what allocators do by themselves."""
    verdict = judge(*arms(App(leak=100.0, noise=2_000)))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "--full-duration" in str(verdict.reasons)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda record: record.remove("watcher", name="memory", state="stopped"), "memory"),
        (lambda record: record.remove("watcher", name="tallies", state="stopped"), "tallies"),
        (lambda record: record.cut("memory", after_s=0.3), "memory"),
    ],
)
@pytest.mark.parametrize("at", [0, 1])
def test_who_saw_too_little_never_says_holds(spoil: Callable[[Record], Record], reason: str, at: int) -> None:
    both = arms(LEAKING)
    spoil(both[at])
    verdict = judge(*both, leak="objects", leak_bytes=32_000)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert FindingId.MEMORY_UNBOUNDED not in {finding.id for finding in verdict.findings}
    assert any(reason in said or "too few requests" in said for said in verdict.reasons)


def test_too_few_requests_for_a_cycle() -> None:
    without, _ = arms(LEAKING)
    verdict = judge(without, arm(replace(CELL, scenario=None), LEAKING, requests=2000))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "too few requests" in str(verdict.reasons)


@pytest.mark.parametrize("told", [320_000, 3_200])
def test_our_own_app_has_to_leak_what_it_was_told(told: int) -> None:
    verdict = judge(*arms(LEAKING), leak="native", leak_bytes=told)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert f"told to leak {told:,} bytes" in str(verdict.reasons)


def test_a_lost_socket_is_told_beside_the_memory() -> None:
    without, with_ = arms(LEAKING)
    with_.gone(4.0).outage(4.0)
    verdict = judge(without, with_)
    assert verdict.outcome is Outcome.VIOLATED
    assert verdict.findings[0].id is FindingId.SOCKET_DELETED
    assert verdict.findings[0].detail.startswith("with: ")
    assert FindingId.MEMORY_UNBOUNDED not in {finding.id for finding in verdict.findings}


def test_a_failed_arm_fails_the_whole() -> None:
    without, with_ = arms(LEAKING)
    with_.add(0.5, "fault", outcome="error", type="X", what="it broke", remedy="mend it", log=None)
    verdict = judge(without, with_)
    assert (verdict.outcome, verdict.findings) == (Outcome.ERROR, ())
    assert verdict.error is not None
    assert verdict.error["what"] == "it broke"
    assert scenario(verdict)["tables"] == []


def test_an_arm_that_never_ran_leaves_it_open() -> None:
    verdict, _ = judge_record(CELL, trial(*arms(LEAKING), order=("without",)))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert scenario(verdict)["arms"].keys() == {"without"}


def test_the_order_of_arrival_changes_nothing() -> None:
    without, with_ = arms(LEAKING)
    assert judge(without, with_) == judge(without.shuffled(3), with_.shuffled(4))


def test_a_broken_record_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="broken"):
        judge_record(
            CELL,
            [*trial(*arms(LEAKING)), event(1, "memory", arm="nobody", own_bytes={}, unshared_bytes=0, file_bytes=0)],
        )
    with pytest.raises(UsageError, match="does not know"):
        judge_record(replace(CELL, scenario="tea"), [])


def test_a_crashing_judge_knows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setitem(JUDGES, "leak", crash)
    verdict = judge(*arms(LEAKING))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "the judge itself failed" in str(verdict.reasons)


# --- growth ----------------------------------------------------------------------------------------------------


def samples(grow: Grow, points: int = 80, requests: float = 8000.0) -> list[Sample]:
    return [
        Sample(
            at_ns=at,
            requests=requests * at / points,
            arbiter_bytes=0,
            others_bytes={1: round(50 * MB + grow(at / points))},
            unshared_bytes=0,
            file_bytes=0,
        )
        for at in range(points)
    ]


@pytest.mark.parametrize(
    ("grow", "expected"),
    [
        (lambda part: 80 * MB * part, State.VIOLATED),
        (lambda part: 80 * MB * math.sqrt(part), State.VIOLATED),  # slower and slower, but without an end
        (lambda _: 0.0, State.HOLDS),
        (lambda part: 80 * MB * (1 - math.exp(-part / 0.03)), State.HOLDS),  # at rest after a tenth
        (lambda part: 20 * MB * min(part / 0.3, 1.0), State.HOLDS),
        (lambda part: 80 * MB * min(part / 0.75, 1.0), State.UNKNOWN),  # it stopped just now, or did it?
        (lambda part: 20 * MB * (part > 0.75), State.UNKNOWN),  # something was loaded once
        (lambda part: 20 * MB * (part > 0.5), State.HOLDS),
        (lambda part: -20 * MB * part, State.HOLDS),
    ],
)
def test_growth(grow: Grow, expected: State) -> None:
    assert find_growth(samples(grow)).state is expected


@given(leak=st.floats(1_000, 100_000), base=st.integers(0, 500 * MB))
@settings(max_examples=30)
def test_a_steady_leak_is_measured_whatever_its_size(leak: float, base: int) -> None:
    grown = 0.8 * 8000 * leak
    growth = find_growth(samples(lambda part: base + leak * 8000 * part))
    assert growth.state is not State.HOLDS
    assert growth.line is not None
    assert growth.line.slope == pytest.approx(leak, rel=0.01)
    if grown > 1.1 * max(MB, 0.02 * (50 * MB + base + 8000 * leak)):
        assert growth.state is State.VIOLATED


# --- what the settings promise, and what is recommended ---------------------------------------------------------


LEAK = Leak(
    arbiter_bytes=10.0 * MB,
    base_bytes=20.0 * MB,
    per_request=10_000.0,
    most_per_request=11_000.0,
    file_bytes=2.0 * MB,
    noise_bytes=1.0 * MB,
)


def test_the_promise_is_the_one_of_the_settings() -> None:
    bound = promise(LEAK, CELL)
    assert bound.promised_bytes == 10 * MB + 2 * (20 * MB + 10_000 * 240)
    assert bound.allowed_bytes > bound.promised_bytes


@given(limit_mb=st.integers(60, 5000), jitter=st.integers(0, 300))
def test_a_recommendation_keeps_below_the_limit_and_leaves_little_unused(limit_mb: int, jitter: int) -> None:
    cell = replace(CELL, max_requests_jitter=jitter)
    advice = recommend(LEAK, cell, limit_mb * 1e6)
    assert advice.max_requests is not None
    assert advice.max_requests_jitter is not None
    most = advice.max_requests + advice.max_requests_jitter + cell.connections + 2  # in hand, with the two probes
    worst = LEAK.file_bytes + LEAK.arbiter_bytes + 2 * (LEAK.base_bytes + LEAK.most_per_request * most)
    assert limit_mb * 1e6 - 2 * LEAK.most_per_request <= worst <= limit_mb * 1e6
    assert advice.max_requests_jitter / advice.max_requests == pytest.approx(jitter / 200, abs=0.02)


@pytest.mark.parametrize(
    ("leak", "limit", "needed", "reason"),
    [
        (LEAK, 40e6, True, "before any request"),
        (replace(LEAK, per_request=0.0), 400e6, False, "no leak was found"),
        (LEAK, 52.1e6, True, "beyond their limit"),
    ],
)
def test_where_there_is_no_number_to_recommend(leak: Leak, limit: float, needed: bool, reason: str) -> None:
    advice = recommend(leak, CELL, limit)
    assert (advice.max_requests, advice.needed) == (None, needed)
    assert reason in advice.reason


def test_the_recommendation_is_in_the_verdict() -> None:
    told = scenario(judge(*arms(LEAKING), leak="objects", leak_bytes=32_000, limit_mb=100))
    assert told["recommendation"]["max_requests"] > 200
    assert "max_requests =" in told["notes"][0]


# --- no wrong verdict, whatever the noise -----------------------------------------------------------------------


@given(
    seed=st.integers(0, 10_000),
    leak=st.sampled_from([0.0, 8_000.0, 32_000.0]),
    noise=st.integers(0, 400_000),
    cache=st.sampled_from([0, 5 * MB]),
)
@settings(max_examples=40)
def test_what_restarts_keep_in_bounds_is_never_called_unbounded(seed: int, leak: float, noise: int, cache: int) -> None:
    app = App(leak=leak, noise=noise, cache=cache)
    verdict = judge(*arms(app, seed=seed))
    assert verdict.outcome is not Outcome.VIOLATED, verdict.reasons
    told = scenario(verdict)["arms"]["without"]["memory"]
    assert told != ("grows" if leak == 0 else "bounded")


@given(
    seed=st.integers(0, 10_000),
    noise=st.integers(0, 400_000),
    kept=st.integers(1 * MB, 8 * MB),
    leak=st.sampled_from([0.0, 32_000.0]),
)
@settings(max_examples=40)
def test_what_an_arbiter_keeps_of_each_worker_is_never_called_bounded(
    seed: int, noise: int, kept: int, leak: float
) -> None:
    """Nineteen restarts; where that is less than the promise allows, it is seen to grow and left open."""
    verdict = judge(*arms(App(leak=leak, noise=noise), other=App(leak=leak, noise=noise, arbiter_leak=kept), seed=seed))
    assert verdict.outcome is not Outcome.HOLDS, verdict.reasons
    if kept >= 4 * MB:
        assert verdict.outcome is Outcome.VIOLATED, verdict.reasons
