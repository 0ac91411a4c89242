"""The verdict on whole records, and what no record may ever turn into."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.core.findings import FindingId
from harness.core.model import Outcome, State
from harness.core.observations import Observations
from harness.judge import verdict as verdicts
from harness.judge.invariants import INVARIANTS
from harness.judge.verdict import failure_rate_upper_95, judge_events
from tests.unit.events import ARBITER, CELL, STOP_STACK, Record, fields_of, healthy


def _mute(record: Record) -> Record:
    return record.cut("log", after_s=-9.0, state="restarting").cut("log", after_s=-9.0, state="exiting")


WATCHERS = ("socket", "logs", "tallies", "workers", "prober")
Spoil = Callable[[Record], Record]

FAULTS: dict[str, Spoil] = {
    "a deleted socket file": lambda record: record.removal(2.999, 101).gone(3.0).outage(3.2),
    "a replaced socket file": lambda record: record.socket(3.0, "created", 9),
    "failed answers": lambda record: record.answers(3.0, s502=2),
    "a failed probe": lambda record: record.probe(3.0, "direct", "closed"),
    "a crash": lambda record: record.log(3.0, 103, "signalled", "Worker (pid:103) was sent SIGSEGV!"),
    "a missing worker": lambda record: record.remove("workers", final=True).live(5.96, 103, final=True),
    "a limit that was ignored": lambda record: record.served(4.5, 104, 400),
}
DOUBTS: dict[str, Spoil] = {
    "no end of the window": lambda record: record.remove("phase", name="closed"),
    "no load": lambda record: record.remove("load"),
    "a load that failed": lambda record: record.reload_ended(statuses={"200": 980}, failed="wrk left no result"),
    "a load of nothing": lambda record: record.reload_ended(statuses={}),
    "a ledger that could not be closed": lambda record: record.add(6.2, "ledger", state="failed", detail="no account"),
    "requests that nobody can account for": lambda record: record.add(
        6.2, "ledger", state="closed", counts={"requests": 1000, "unexplained": 2}, by_client={}
    ),
    "requests that hung": lambda record: record.add(
        6.2, "ledger", state="closed", counts={"requests": 1000}, by_client={"load": {"never_answered": 3}}
    ),
    "an interruption": lambda record: record.add(6.05, "interrupted", phase="load"),
    "too few recycles": lambda record: record.with_cell(recycles=3),
    "a tracer that was never loaded": lambda record: record.remove("tracer"),
    "a problem of the tracer": lambda record: record.add(1.0, "tracer-problem", text="OSError"),
    "no probes after the load": lambda record: record.cut("probe", after_s=5.0),
    "time-outs on a machine that stood still": lambda record: record.reload_ended(
        statuses={"200": 980}, errors={"timeout": 3}
    ).add(2.0, "stall", gap_ns=2_500_000_000),
    "an app that switches gunicorn's loggers off": lambda record: _mute(record).cut("served", after_s=-9.0),
    "an app that switches one of gunicorn's loggers off": _mute,
    "a log in a form of the user's own": lambda record: record.cut("log", after_s=-9.0),
    "somebody who reloads gunicorn": lambda record: record.log(3.0, ARBITER, "asked", "Handling signal: hup"),
    **{
        f"a dead watcher ({name})": lambda record, name=name: record.remove("watcher", name=name, state="stopped")  # type: ignore[misc]
        for name in WATCHERS
    },
    **{
        f"no watcher ({name})": lambda record, name=name: record.cut("watcher", after_s=-9.0, name=name)  # type: ignore[misc]
        for name in WATCHERS
    },
}


def test_a_healthy_run_holds_and_says_how_strong_that_is() -> None:
    verdict = healthy().judge()
    assert (verdict.outcome, verdict.findings) == (Outcome.HOLDS, ())
    assert set(verdict.invariants.values()) == {State.HOLDS}
    assert verdict.strength == {
        "recycles": 2,
        "requests": 980,
        "failure_rate_upper_95": 0.776393,
        "failure_rate_per_request_upper_95": 0.003052202,
    }
    assert verdict.error is None


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_a_violation_with_a_finding(name: str) -> None:
    verdict = FAULTS[name](healthy()).judge()
    assert verdict.outcome is Outcome.VIOLATED
    assert verdict.findings
    assert verdict.strength["failure_rate_upper_95"] is None


@pytest.mark.parametrize("name", DOUBTS)
def test_each_doubt_alone_forbids_to_say_holds(name: str) -> None:
    verdict = DOUBTS[name](healthy()).judge()
    assert (verdict.outcome, verdict.findings) == (Outcome.INCONCLUSIVE, ())
    assert verdict.reasons


@pytest.mark.parametrize("doubt", [name for name in DOUBTS if "reloads" not in name])
def test_the_evidence_of_a_failed_answer_outranks_every_doubt(doubt: str) -> None:
    verdict = DOUBTS[doubt](healthy()).answers(3.0, s502=2).judge()
    assert verdict.outcome is Outcome.VIOLATED
    assert FindingId.FAILED_RESPONSES in [finding.id for finding in verdict.findings]


@settings(max_examples=60)
@given(st.sets(st.sampled_from(sorted(DOUBTS)), min_size=1, max_size=4), st.integers())
def test_no_set_of_doubts_ever_holds(doubts: set[str], seed: int) -> None:
    record = healthy()
    for doubt in sorted(doubts):
        with suppress(AssertionError):  # another doubt may have taken out what this one is about
            record = DOUBTS[doubt](record)
    assert record.shuffled(seed).judge().outcome is Outcome.INCONCLUSIVE


@settings(max_examples=60)
@given(
    fault=st.sampled_from(sorted(FAULTS)),
    status=st.sampled_from(["500", "502", "503", "504", "timeout", "closed"]),
    count=st.integers(1, 10_000),
    at_s=st.floats(0.0, 4.9),
)
def test_one_more_failed_bucket_never_makes_a_violation_hold(fault: str, status: str, count: int, at_s: float) -> None:
    record = FAULTS[fault](healthy())
    assert record.add(at_s, "answers", outcomes={status: count}).judge().outcome is Outcome.VIOLATED


@settings(max_examples=60)
@given(at_s=st.floats(0.0, 4.9), status=st.sampled_from(["500", "502", "504"]))
def test_one_failed_answer_anywhere_in_a_healthy_run_is_found(at_s: float, status: str) -> None:
    verdict = healthy().add(at_s, "answers", outcomes={status: 1, "200": 50}).judge()
    assert [finding.id for finding in verdict.findings] == [FindingId.FAILED_RESPONSES]


@settings(max_examples=60)
@given(st.sampled_from([*FAULTS.values(), *DOUBTS.values()]), st.integers())
def test_the_same_events_in_any_order_give_the_same_verdict(spoil: Spoil, seed: int) -> None:
    record = spoil(healthy())
    again, _ = judge_events(record.cell, record.shuffled(seed).events)
    assert again == record.judge()


@settings(max_examples=100)
@given(st.data())
def test_a_record_of_which_any_part_is_lost_never_crashes_a_judge(data: st.DataObject) -> None:
    record = data.draw(st.sampled_from(sorted(FAULTS)).map(lambda name: FAULTS[name](healthy())))
    kept = data.draw(st.sets(st.integers(0, len(record.events) - 1)))
    record.events = [record.events[number] for number in sorted(kept)]
    verdict = record.judge()
    assert not [reason for reason in verdict.invariant_reasons.values() if "the judge itself failed" in reason]
    assert verdict.outcome is not Outcome.HOLDS or "closed" in record.observe().phases


@settings(max_examples=60)
@given(st.data())
def test_a_record_that_ends_anywhere_before_its_window_closed_never_holds(data: st.DataObject) -> None:
    record = healthy()
    record.events.sort(key=lambda event: event.at_ns)
    closed = next(n for n, e in enumerate(record.events) if e.kind == "phase" and fields_of(e)["name"] == "closed")
    record.events = record.events[: data.draw(st.integers(0, closed))]
    assert record.judge().outcome is not Outcome.HOLDS


def test_a_deleted_socket_gives_the_findings_of_the_original_report_and_no_others() -> None:
    record = FAULTS["a deleted socket file"](healthy()).removal(4.0, 103, failed="ENOENT")
    verdict = record.judge()
    assert [finding.id for finding in verdict.findings] == [FindingId.SOCKET_DELETED, FindingId.PERMANENT_OUTAGE]
    assert {name for name, state in verdict.invariants.items() if state is State.VIOLATED} == {
        "socket-survives",
        "requests-answered",
        "service-recovers",
    }


def test_findings_come_in_the_order_of_the_contract() -> None:
    record = healthy().answers(1.0, s502=1).log(2.5, 103, "signalled", "Worker (pid:103) was sent SIGSEGV!")
    record.gone(3.0).outage(3.2)
    assert record.found() == [
        FindingId.SOCKET_DELETED,
        FindingId.PERMANENT_OUTAGE,
        FindingId.FAILED_RESPONSES,
        FindingId.WORKER_CRASHED,
    ]


def test_a_judge_that_crashes_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Observations) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(verdicts, "INVARIANTS", {**INVARIANTS, "socket-survives": broken})
    verdict = healthy().judge()
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.invariants["socket-survives"] is State.UNKNOWN
    assert verdict.reasons == ("socket-survives: the judge itself failed: ZeroDivisionError: a bug",)


@pytest.mark.parametrize("outcome", ["error", "unrunnable"])
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_the_harness_outranks_everything(name: str, outcome: str) -> None:
    fault = {"outcome": outcome, "type": "SurroundingsError", "what": "no proxy", "remedy": "get one", "log": None}
    verdict = FAULTS[name](healthy()).add(5.97, "fault", **fault).judge()
    assert verdict.outcome.value == outcome
    assert (verdict.findings, verdict.invariants, verdict.reasons) == ((), {}, ("no proxy",))
    assert verdict.error == {"type": "SurroundingsError", "what": "no proxy", "remedy": "get one", "log": None}


def test_workers_that_are_killed_short_of_their_limit_are_no_silenced_log() -> None:
    """Releases that say nothing of how a worker ends: their silence is all there is, and it says enough."""
    record = _mute(healthy()).cut("served", after_s=-9.0)
    record.served(0.9, 101, 40).served(1.9, 102, 44).served(4.0, 103, 40)
    assert record.found() == [FindingId.WORKER_CRASHED]


def test_nothing_at_all_is_inconclusive() -> None:
    assert Record().judge().outcome is Outcome.INCONCLUSIVE


def test_an_interrupted_run_keeps_its_evidence() -> None:
    record = FAULTS["a deleted socket file"](healthy()).add(6.05, "interrupted", phase="settle")
    assert record.judge().outcome is Outcome.VIOLATED


def _stopped_from_outside(record: Record) -> Record:
    """Somebody sends the arbiter a TERM: it unlinks, its workers go, nothing is answered any more."""
    record.log(3.0, ARBITER, "asked-to-stop", "Handling signal: term").removal(3.001, ARBITER, stack=STOP_STACK)
    record.gone(3.002).outage(3.0).log(3.1, 103, "exiting").log(3.1, 104, "exiting").live(3.2)
    record.add(3.3, "arbiter", state="exited", pid=ARBITER, status=0)
    return record.remove("workers", final=True).live(5.96, final=True)


def test_what_somebody_else_did_to_gunicorn_is_no_fault_of_the_release() -> None:
    verdict = _stopped_from_outside(healthy()).judge()
    assert (verdict.outcome, verdict.findings) == (Outcome.INCONCLUSIVE, ())
    assert any("somebody else sent gunicorn a signal" in reason for reason in verdict.reasons)


def test_what_went_wrong_before_somebody_meddled_counts() -> None:
    verdict = _stopped_from_outside(healthy().answers(1.0, s502=3)).judge()
    assert verdict.outcome is Outcome.VIOLATED
    assert [finding.id for finding in verdict.findings] == [FindingId.FAILED_RESPONSES]


def test_an_arbiter_that_gives_up_by_itself_is_an_outage_but_no_deletion() -> None:
    """It halts because a worker can't boot: it unlinks at once, and says so after its workers have ended."""
    record = healthy().removal(3.0, ARBITER, stack=STOP_STACK).gone(3.001).outage(3.0)
    record.log(3.1, 103, "exiting").log(3.1, 104, "exiting").live(3.2).log(3.5, ARBITER, "stopping")
    record.add(3.6, "arbiter", state="exited", pid=ARBITER, status=3)
    record.remove("workers", final=True).live(5.96, final=True)
    assert record.found() == [FindingId.PERMANENT_OUTAGE, FindingId.WORKERS_NOT_RESPAWNED]


def test_without_a_limit_no_recycle_is_asked_for() -> None:
    record = healthy(CELL).with_cell(max_requests=0).cut("log", after_s=0.0).cut("workers", after_s=0.0)
    record.live(5.96, 101, 102, final=True).cut("served", after_s=0.0)
    verdict = record.judge()
    assert verdict.outcome is Outcome.HOLDS
    assert verdict.strength == {
        "recycles": 0,
        "requests": 980,
        "failure_rate_upper_95": None,
        "failure_rate_per_request_upper_95": 0.003052202,
    }


def test_what_was_counted() -> None:
    record = healthy().reload_ended(statuses={"200": 970, "502": 10}, errors={"closed": 4, "timeout": 3})
    record.probe(3.0, "direct", "missing").add(3.0, "proxy_errors", reasons={"connect": 14})
    counts = record.judge().counts
    assert counts["statuses"] == {"200": 970 + 84, "502": 10}
    assert counts["client_errors"] == {"closed": 4, "timeout": 3, "refused": 0, "missing": 1, "other": 0}
    assert counts["requests"] == 980 + 84 + 4 + 1, "a late answer has a status as well, and is counted once"
    assert (counts["recycles"], counts["workers_seen"], counts["workers_crashed"]) == (2, 4, 0)
    assert (counts["fewest_workers"], counts["proxy_errors"]) == (1, {"connect": 14})


def test_the_phases_are_timed() -> None:
    assert healthy().judge().timing_s == {
        "prepare": 0.1,
        "boot": 0.4,
        "control": 0.1,
        "load": 5.0,
        "settle": 1.0,
        "total": 6.7,
    }


@pytest.mark.parametrize(("recycles", "bound"), [(0, None), (1, 0.95), (30, 0.0950), (59, 0.0495)])
def test_the_bound_of_the_failure_rate(recycles: int, bound: float | None) -> None:
    assert failure_rate_upper_95(recycles) == (None if bound is None else pytest.approx(bound, abs=1e-4))


def test_a_run_over_tcp_needs_neither_socket_watcher_nor_tracer() -> None:
    assert healthy(replace(CELL, bind="tcp")).judge().outcome is Outcome.HOLDS


def test_a_run_over_tcp_with_failures_is_violated_as_any_other() -> None:
    assert healthy(replace(CELL, bind="tcp")).answers(3.0, s502=1).found() == [FindingId.FAILED_RESPONSES]


def test_time_outs_that_were_never_answered_are_requests() -> None:
    counts = healthy().reload_ended(statuses={"200": 980}, errors={"timeout": 6}, late=2).judge().counts
    without = healthy().judge().counts
    assert counts["requests"] == cast(int, without["requests"]) + 4
    wrks = healthy().reload_ended(statuses={"200": 980}, errors={"timeout": 6}).judge().counts
    assert wrks["requests"] == without["requests"], "wrk's time-outs are all late answers"


def test_what_only_some_loads_measure_is_counted_only_there() -> None:
    measured: dict[str, Any] = {
        "latency_ms": {"p50": 1.0, "max": 9.5},
        "pace": {"due": 990, "unstarted": 10, "delayed": 3},
    }
    counts = healthy().reload_ended(statuses={"200": 980}, late=0, **measured).judge().counts
    assert (counts["latency_ms"], counts["open_loop"]) == (measured["latency_ms"], measured["pace"])
    assert not {"latency_ms", "open_loop"} & set(healthy().judge().counts)
