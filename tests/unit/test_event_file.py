"""``events.jsonl`` on disk: numbered lines, an end, and what becomes of a verdict where they are not as written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.core.cells import cell_to_json
from harness.core.errors import UsageError
from harness.core.events.base import ArmEvent, Event
from harness.core.events.course import Contradiction, CutShort, RecordEnd
from harness.core.model import Outcome, State, Verdict
from harness.judge.defects import describe_defect
from harness.judge.record import judge_record
from harness.records import event_file
from harness.records.event_file import read_events
from harness.watch.event_log import EventSink
from tests.unit.events import CELL, Record, event, healthy
from tests.unit.leaks import CELL as LEAK
from tests.unit.leaks import App, arms, trial

CONTRADICTION = "the record contradicts itself: "


def write(path: Path, events: Sequence[Event]) -> list[str]:
    """The lines that the event log makes of these events, its own last one among them."""
    path.unlink(missing_ok=True)
    sink = EventSink(path)
    for one in events:
        sink.emit(one)
    sink.close()
    sink.check()
    return path.read_text().splitlines()


def read(path: Path, lines: Sequence[str], *, torn: str = "") -> list[Event]:
    path.write_text("".join(f"{line}\n" for line in lines) + torn)
    with path.open("rb") as stream:
        return list(read_events(stream, path, say=lambda _: None))


def judge(path: Path, lines: Sequence[str], *, torn: str = "") -> Verdict:
    return judge_record(CELL, read(path, lines, torn=torn))[0]


def strip(lines: Sequence[str]) -> list[str]:
    """The same record as an older version would have written it."""
    objects = [json.loads(line) for line in lines]
    rest = [{key: value for key, value in one.items() if key != "seq"} for one in objects if one["kind"] != "end"]
    return [json.dumps(one) for one in rest]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


def bad() -> Record:
    return healthy().gone(3.0).removal(2.999, 101).outage(3.5)


@pytest.mark.parametrize(("record", "outcome"), [(healthy(), Outcome.HOLDS), (bad(), Outcome.VIOLATED)])
def test_a_whole_record_is_judged_as_its_events_say(path: Path, record: Record, outcome: Outcome) -> None:
    lines = write(path, record.events)
    assert [json.loads(line)["seq"] for line in lines] == list(range(len(record.events) + 1))
    assert judge(path, lines).outcome is outcome
    assert judge(path, lines) == record.judge()


@pytest.mark.parametrize(("record", "outcome"), [(healthy(), Outcome.HOLDS), (bad(), Outcome.VIOLATED)])
def test_a_record_of_an_older_version_is_judged_as_ever(path: Path, record: Record, outcome: Outcome) -> None:
    lines = strip(write(path, record.events))
    assert judge(path, lines).outcome is outcome
    assert judge(path, lines) == record.judge()
    assert judge(path, lines[:40] + lines[41:] + lines[40:41]) == record.judge(), "nobody numbered its lines"


@pytest.mark.parametrize("record", [healthy(), bad()], ids=["healthy", "bad"])
def test_no_line_can_be_taken_out_of_a_record_that_holds_or_accuses(path: Path, record: Record) -> None:
    lines = write(path, record.events)
    for at in range(len(lines) - 1):
        verdict = judge(path, lines[:at] + lines[at + 1 :])
        assert verdict.outcome is Outcome.INCONCLUSIVE
        assert verdict.reasons == (f"{CONTRADICTION}line {at + 1} has seq {at + 1}, expected {at}",)
        assert verdict.findings == ()
        assert set(verdict.invariants.values()) == {State.UNKNOWN}


@pytest.mark.parametrize("at", [0, 1, 60])
def test_a_doubled_line_is_a_contradiction(path: Path, at: int) -> None:
    lines = write(path, healthy().events)
    verdict = judge(path, lines[: at + 1] + lines[at:])
    assert (verdict.outcome, verdict.findings) == (Outcome.INCONCLUSIVE, ())
    assert verdict.reasons == (f"{CONTRADICTION}line {at + 2} has seq {at}, expected {at + 1}",)


@pytest.mark.parametrize("at", [0, 1, 60])
def test_lines_in_another_order_are_a_contradiction(path: Path, at: int) -> None:
    lines = write(path, healthy().events)
    verdict = judge(path, [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]])
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.reasons == (f"{CONTRADICTION}line {at + 1} has seq {at + 1}, expected {at}",)


def test_lines_of_two_records_are_a_contradiction(path: Path) -> None:
    lines = write(path, healthy().events)
    old = strip(lines)
    verdict = judge(path, [*lines[:5], old[5], *lines[6:]])
    assert verdict.reasons == (f"{CONTRADICTION}line 6 has no seq, expected 5",)
    verdict = judge(path, [*old[:5], *lines[5:]])
    assert verdict.reasons == (f"{CONTRADICTION}line 6 has seq 5, expected none",)
    assert judge(path, lines + lines).outcome is Outcome.INCONCLUSIVE, "somebody wrote into it a second time"


def test_a_fault_of_the_harness_stays_an_error(path: Path) -> None:
    lines = write(path, healthy().add(6.05, "fault", outcome="error", what="x").events)
    assert judge(path, lines[:9] + lines[10:]).outcome is Outcome.ERROR


def test_a_record_without_its_last_line_was_cut_short_and_never_holds(path: Path) -> None:
    lines = write(path, healthy().events)
    verdict = judge(path, lines[:-1])
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.reasons == ("the record has no end: it was cut short, and what its last lines said is not known",)
    assert judge(path, lines[:-1], torn=lines[-1][:20]) == verdict
    assert judge(path, lines[:-1], torn=lines[-1]).outcome is Outcome.HOLDS, "all but the end of the line is there"


def test_what_a_record_tells_before_it_was_cut_short_counts(path: Path) -> None:
    lines = write(path, bad().events)
    verdict = judge(path, lines[:-1], torn='{"seq": 9')
    assert (verdict.outcome, verdict.findings) == (Outcome.VIOLATED, bad().judge().findings)


def test_a_kind_that_is_not_known_makes_a_record_inconclusive(path: Path) -> None:
    for record in (healthy(), bad()):
        lines = write(path, record.events)
        lines[30] = json.dumps({"seq": 30, "at_ns": 5, "kind": "moon", "phase": "full"})
        verdict = judge(path, lines)
        assert (verdict.outcome, verdict.findings) == (Outcome.INCONCLUSIVE, ())
        assert verdict.reasons == ("the record has events of the kind moon, which this version does not know",)


@pytest.mark.parametrize(
    ("bad_line", "problem"),
    [
        ('{"seq": "0", "at_ns": 1, "kind": "end"}', "seq must be a whole number"),
        ('{"seq": true, "at_ns": 1, "kind": "end"}', "seq must be a whole number"),
        ('{"seq": 0, "kind": "end"}', "at_ns must be a whole number"),
        ('{"seq": 0, "at_ns": 1, "kind": "phase"}', "phase lacks name"),
        ('{"seq": 0, "at_ns": 1, "kind": "phase", "name": NaN}', "the number NaN is not JSON"),
    ],
)
def test_a_broken_line_is_an_error_with_its_number(path: Path, bad_line: str, problem: str) -> None:
    with pytest.raises(UsageError, match=rf"events\.jsonl, line 1: not an event: {problem}"):
        read(path, [bad_line, *write(path, [])])


def test_an_empty_record_has_no_end_and_nobody_says_that_it_had_numbers(path: Path) -> None:
    assert read(path, []) == []
    (only,) = read(path, write(path, []))
    assert isinstance(only, RecordEnd)


def test_the_record_of_an_arm_that_contradicts_itself_makes_the_scenario_inconclusive() -> None:
    without, with_ = arms(App())
    events = trial(without, with_)
    assert judge_record(LEAK, events)[0].outcome is Outcome.HOLDS
    gap = Contradiction(at_ns=5, line=3, seq=3, expected=2)
    for strange in (ArmEvent(at_ns=5, arm="with", event=gap), gap, event(5, "cut-short")):
        verdict = judge_record(LEAK, [*events, strange])[0]
        assert verdict.outcome is Outcome.INCONCLUSIVE
        named = "cut short" if isinstance(strange, CutShort) else describe_defect(gap)
        assert any(named in reason for reason in verdict.reasons)


def test_an_event_of_an_arm_in_a_single_run_is_a_contradiction() -> None:
    strange = event(5, "phase", name="load", arm="with")
    verdict = judge_record(CELL, [*healthy().events, strange])[0]
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "events of the arm with" in verdict.reasons[0]
    assert cell_to_json(verdict.cell) == cell_to_json(CELL)


def test_a_record_of_more_events_than_fit_into_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_file, "MOST_EVENTS", 20)
    path = tmp_path / "events.jsonl"
    write(path, [event for _ in range(5) for event in healthy().events])
    with path.open("rb") as stream, pytest.raises(UsageError, match="more than 20 events"):
        list(read_events(stream, path, print))
