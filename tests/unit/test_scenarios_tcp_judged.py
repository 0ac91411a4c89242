from __future__ import annotations

from dataclasses import replace
from typing import Any

from harness.core.events.base import ArmEvent, Event
from harness.core.findings import FindingId
from harness.core.model import Outcome, Verdict
from harness.judge.record import judge_record
from tests.unit.events import CELL, Record, event, healthy

TCP = replace(CELL, bind="tcp")


def judged(unix: Record, tcp: Record | None) -> Verdict:
    events: list[Event] = [event(1, "scenario", name="tcp", settings={})]
    for name, record in (("unix", unix), ("tcp", tcp)):
        if record is None:
            continue
        names = ("threads", "workers", "max_requests", "connections", "recycles", "bind")
        cell: dict[str, Any] = {"spec": "1.0"} | {key: getattr(record.cell, key) for key in names}
        events.append(event(2, "arm", name=name, run=f"arms/{name}", cell=cell))
        events += [ArmEvent(at_ns=one.at_ns, arm=name, event=one) for one in record.events]
    return judge_record(replace(TCP, scenario="tcp"), events)[0]


def answer(verdict: Verdict) -> str:
    assert verdict.scenario is not None
    return str(verdict.scenario["answer"])


def lossy(record: Record) -> Record:
    record.reload_ended(statuses={"200": 930, "502": 50})
    return record.answers(1.05, s502=50)


def test_the_port_avoids_the_outage_and_what_remains_is_said() -> None:
    verdict = judged(healthy().gone(2.0).outage(2.0), lossy(healthy(TCP)))
    assert verdict.outcome is Outcome.VIOLATED
    assert [finding.id for finding in verdict.findings] == [FindingId.FAILED_RESPONSES]
    assert "the file is deleted and the service is gone for good" in answer(verdict)
    assert "comes through the restarts, but failed-responses remains: 50 of" in answer(verdict)


def test_the_outage_over_the_socket_is_no_fault_of_the_port() -> None:
    verdict = judged(healthy().gone(2.0).outage(2.0), healthy(TCP))
    assert verdict.outcome is Outcome.HOLDS, verdict.reasons
    assert answer(verdict).endswith("over a port nothing fails")


def test_where_the_file_survives_there_is_nothing_to_work_around() -> None:
    verdict = judged(healthy(), healthy(TCP))
    assert verdict.outcome is Outcome.HOLDS, verdict.reasons
    assert "nothing to work around" in answer(verdict)


def test_a_port_that_does_not_help_is_told() -> None:
    verdict = judged(healthy().gone(2.0).outage(2.0), healthy(TCP).outage(2.0, direct="refused"))
    assert FindingId.PERMANENT_OUTAGE in [finding.id for finding in verdict.findings]
    assert "over a port the service is gone for good as well" in answer(verdict)


def test_a_run_that_saw_too_little_is_no_answer() -> None:
    verdict = judged(healthy().gone(2.0).outage(2.0), healthy(TCP).with_cell(recycles=50))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert answer(verdict).startswith("not known: over the port, only 2 of 50")


def test_without_the_run_over_the_port_there_is_no_answer() -> None:
    verdict = judged(healthy(), None)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "was not made" in " ".join(verdict.reasons)
