from __future__ import annotations

import pytest

from harness.core.findings import FindingId
from harness.core.model import State
from tests.unit.events import ARBITER, Record, healthy

NAME = "service-recovers"


def _settle(record: Record, outcome: str, count: int, *vias: str, took_s: float = 0.002) -> Record:
    for via in vias or ("proxy", "direct"):
        record.cut("probe", after_s=5.0, via=via)
    return record.probes((5.01 + 0.04 * step for step in range(count)), outcome, *vias, took_s=took_s)


def test_it_holds_where_the_service_answers_after_the_load() -> None:
    assert healthy().ask(NAME).state is State.HOLDS


def test_it_holds_after_a_bad_time_that_ended() -> None:
    record = healthy().answers(4.5, s502=100).cut("probe", after_s=5.0, before_s=5.5)
    assert record.probes((5.02, 5.1, 5.2, 5.3, 5.4), "502").ask(NAME).state is State.HOLDS


def test_a_deleted_path_is_a_permanent_outage() -> None:
    judgement = healthy().gone(3.0).outage(3.2).ask(NAME)
    (finding,) = judgement.findings
    assert (judgement.state, finding.id) == (State.VIOLATED, FindingId.PERMANENT_OUTAGE)
    assert finding.at_s == pytest.approx(3.1, abs=0.01)
    assert finding.detail.startswith("from then on nothing was answered with success (")
    assert finding.detail.endswith("probes after the load: 502)")


def test_a_service_that_hangs_never_holds() -> None:
    record = _settle(healthy(), "timeout", 22, took_s=0.05)
    judgement = record.ask(NAME)
    assert judgement.state is State.VIOLATED
    assert "timeout" in judgement.findings[0].detail


def test_a_service_that_never_answered_is_an_outage_from_the_first_request_on() -> None:
    (finding,) = healthy().outage(0.0).ask(NAME).findings
    assert finding.detail.startswith("from the first request on")


def test_an_arbiter_that_ended_by_itself_is_told() -> None:
    record = _settle(healthy().add(3.0, "arbiter", state="exited", pid=ARBITER, status=3), "502", 4)
    assert record.ask(NAME).findings[0].detail.endswith("; the arbiter had ended with status 3")


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_probes_tell_nothing(count: int) -> None:
    assert _settle(healthy(), "200", count).ask(NAME).state is State.UNKNOWN
    assert _settle(healthy().gone(3.0), "502", count).ask(NAME).state is State.UNKNOWN


def test_a_run_without_settle_phase_tells_nothing() -> None:
    assert healthy().remove("phase", name="settle").ask(NAME).state is State.UNKNOWN


def test_failures_at_the_end_are_no_recovery_even_where_they_are_too_few_for_an_outage() -> None:
    record = healthy().probes((5.91, 5.93), "502", "proxy")
    assert record.ask(NAME).state is State.UNKNOWN


def test_a_success_early_in_the_settle_phase_is_no_recovery() -> None:
    record = _settle(healthy(), "502", 22).probe(5.001, "proxy", "200").probe(5.002, "direct", "502")
    assert record.ask(NAME).state is State.VIOLATED


def test_direct_answers_are_no_recovery_for_clients_of_the_proxy() -> None:
    record = _settle(healthy(), "502", 22, "proxy")
    judgement = record.ask(NAME)
    assert judgement.state is State.UNKNOWN
    assert "the proxy" in judgement.reason


def test_the_proxy_is_not_doubted_where_gunicorn_fails_too() -> None:
    assert _settle(healthy(), "502", 22).ask(NAME).state is State.VIOLATED


def test_stalls_excuse_time_outs() -> None:
    record = _settle(healthy(), "timeout", 22, took_s=0.05).add(4.9, "stall", gap_ns=1_100_000_000)
    assert record.ask(NAME).state is State.UNKNOWN


def test_an_interrupted_settle_phase_gave_no_time_to_recover() -> None:
    record = _settle(healthy(), "502", 22).add(6.05, "interrupted", phase="settle")
    assert record.ask(NAME).state is State.UNKNOWN


def test_no_time_is_needed_where_the_cause_is_lasting() -> None:
    record = healthy().gone(3.0).outage(3.2).add(6.05, "interrupted", phase="settle")
    assert record.ask(NAME).state is State.VIOLATED
