from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest

from harness.core.errors import UsageError
from harness.core.events.base import ArmEvent, Event
from harness.core.findings import FindingId
from harness.core.model import Cell, Outcome, State, Verdict
from harness.judge.record import judge_record
from harness.judge.scenarios.away import measure, read_ask
from harness.judge.scenarios.jitter import judge_uniform
from harness.report.drawing import draw
from tests.unit.events import ARBITER, INODE, Record, event

WORKERS = 20
CELL = Cell(
    spec="1.0",
    worker="sync",
    threads=1,
    workers=WORKERS,
    max_requests=100,
    max_requests_jitter=100,
    connections=WORKERS,
    recycles=WORKERS,
)
SETTINGS = {"boot_s": 0.5, "service_s": 0.02, "slow_s": 0.5, "most_away": 0.5}
END_S = 9.0


def arm(cell: Cell, *, boot_s: float = 0.5, seed: int = 1, limits: list[int] | None = None) -> Record:
    """Every worker serves 50 requests a second up to its limit, once; its successor lives to the end."""
    draw = Random(seed)  # noqa: S311 - no secret
    record = Record(cell).phases(prepare=-2.0, boot=-1.9, control=-0.1, load=0.0, settle=END_S, closed=END_S + 1)
    record.add(-1.9, "arbiter", state="started", pid=ARBITER).socket(-1.8, "created", INODE)
    for name in ("socket", "logs", "tallies", "workers", "prober"):
        record.add(-1.9, "watcher", name=name, state="started").add(END_S + 0.95, "watcher", name=name, state="stopped")
    record.add(-0.05, "control", asked=5, answered=5)
    changes: list[tuple[float, int, int]] = []
    for number in range(WORKERS):
        first, second = 1000 + number, 2000 + number
        limit = limits[number] if limits else 100 + draw.randint(0, cell.max_requests_jitter)
        limit_after = limits[number] if limits else 100 + draw.randint(0, cell.max_requests_jitter)
        ready(record.boots(-1.5, first), -1.0, first, limit)
        restart_s = limit / 50 + number * 1e-3
        record.restarts(restart_s, first, served=limit)
        ready(record.boots(restart_s + 0.1, second), restart_s + 0.1 + boot_s, second, limit_after)
        record.served(END_S - 0.1, second, 30)
        changes += [(-1.5 + number * 1e-3, first, 1), (restart_s + 0.05, first, -1), (restart_s + 0.1, second, 1)]
    sample(record, changes)
    record.probes([0.02 + 0.05 * step for step in range(int(END_S / 0.05))], "200")
    record.probes([END_S + 0.1 * step for step in range(1, 8)], "200")
    record.answers(1.0, s200=3000).load_ended(END_S - 0.01, statuses={"200": 3000})
    return record.socket(END_S + 0.9, "snapshot", INODE)


def ready(record: Record, at_s: float, pid: int, limit: int) -> Record:
    return record.log(at_s, pid, "ready", f"Worker is ready (pid: {pid}), restarts after {limit} requests")


def sample(record: Record, changes: list[tuple[float, int, int]]) -> None:
    live: set[int] = set()
    for at_s, pid, by in sorted(changes):
        live = live | {pid} if by > 0 else live - {pid}
        record.live(at_s, *sorted(live))
    record.live(END_S + 0.9, *sorted(live), final=True)


def recorded(*arms: tuple[str, Record], **settings: Any) -> list[Event]:
    """The record of a scenario of these arms."""
    events: list[Event] = [event(1, "scenario", name="jitter", settings={**SETTINGS, **settings})]
    for name, record in arms:
        head: dict[str, Any] = {"name": name, "run": f"arms/{name}", "cell": {"spec": "1.0", **plain(record.cell)}}
        events.append(event(2, "arm", **head))
        events += [ArmEvent(at_ns=one.at_ns, arm=name, event=one) for one in record.events]
    return events


def judged(*arms: tuple[str, Record], asked: Cell | None = None, **settings: Any) -> Verdict:
    """The verdict on a scenario of these arms, the last of which counts unless another cell was asked for."""
    return judge_record(replace(asked or arms[-1][1].cell, scenario="jitter"), recorded(*arms, **settings))[0]


def plain(cell: Cell) -> dict[str, Any]:
    names = ("worker", "threads", "workers", "max_requests", "max_requests_jitter", "connections", "recycles")
    return {name: getattr(cell, name) for name in names}


def without() -> tuple[str, Record]:
    return "jitter-0", arm(replace(CELL, max_requests_jitter=0))


def test_jitter_that_spreads_the_restarts_holds_whatever_the_other_arm_lost() -> None:
    verdict = judged(without(), ("jitter-100", arm(CELL)))
    assert verdict.outcome is Outcome.HOLDS, verdict.reasons
    assert verdict.findings == ()
    assert verdict.scenario is not None
    arms: Any = verdict.scenario["arms"]
    assert arms["jitter-0"]["worst_away"] == WORKERS
    assert arms["jitter-100"]["worst_away"] <= WORKERS / 2
    assert arms["jitter-100"]["draws"]["exact"] == WORKERS
    assert arms["jitter-0"]["predicted"]["mean"] == WORKERS
    assert "workers were away at once" in str(verdict.scenario["answer"])
    assert "with 0: 20" in str(verdict.scenario["answer"])


def test_without_jitter_capacity_is_lost() -> None:
    verdict = judged(without())
    assert verdict.outcome is Outcome.VIOLATED
    (finding,) = verdict.findings
    assert finding.id is FindingId.CAPACITY_LOST
    assert finding.at_s == pytest.approx(2.0 + (WORKERS - 1) * 1e-3, abs=0.01)
    assert finding.evidence["away"] == WORKERS
    assert "20 of 20 workers were away at once (100%), more than the 50% that are allowed" in finding.detail


def test_the_share_that_may_be_away_is_the_askers() -> None:
    assert judged(without(), most_away=1.0).outcome is Outcome.HOLDS
    strict = judged(("jitter-100", arm(CELL)), most_away=0.05)
    assert [finding.id for finding in strict.findings] == [FindingId.CAPACITY_LOST]


def test_a_busy_machine_is_not_gunicorns_fault() -> None:
    """Slow boots keep most workers away; by the model they would not be, were the machine idle."""
    slow = arm(CELL, boot_s=2.5)
    assert judged(("jitter-100", slow)).outcome is Outcome.VIOLATED
    slow.add(END_S, "machine", foreign_share=0.6)
    verdict = judged(("jitter-100", slow))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "other programs used 60% of the machine" in " ".join(verdict.reasons)


def test_on_a_busy_machine_what_an_idle_one_would_lose_too_still_counts() -> None:
    name, record = without()
    record.add(END_S, "machine", foreign_share=0.6)
    assert judged((name, record)).outcome is Outcome.VIOLATED


def test_a_jitter_that_is_ignored_is_no_jitter() -> None:
    verdict = judged(("jitter-100", arm(CELL, limits=[100] * WORKERS)))
    assert verdict.outcome is Outcome.VIOLATED
    assert verdict.invariants["jitter-uniform"] is State.VIOLATED
    assert "p = below 0.0001" in verdict.invariant_reasons["jitter-uniform"]


def test_limits_out_of_range_are_found() -> None:
    early = judged(without(), ("jitter-100", arm(CELL, limits=[60, *range(105, 200, 5)])))
    assert FindingId.RECYCLED_EARLY in [finding.id for finding in early.findings]
    late = judged(without(), ("jitter-100", arm(CELL, limits=[260, *range(105, 200, 5)])))
    assert FindingId.MAX_REQUESTS_IGNORED in [finding.id for finding in late.findings]


def test_a_record_without_the_hook_is_no_answer() -> None:
    verdict = judged(("jitter-100", arm(CELL).remove("log", state="ready")))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "no worker said that it was ready" in " ".join(verdict.reasons)


def test_a_watcher_that_died_is_no_answer() -> None:
    record = arm(CELL).remove("watcher", name="workers", state="stopped")
    verdict = judged(("jitter-100", record))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.invariants["capacity-kept"] is State.UNKNOWN


def test_few_draws_are_not_tested() -> None:
    found = measure(arm(CELL).observe(), read_ask(SETTINGS))
    assert found is not None
    few = replace(found, draws=replace(found.draws, p=None, drawn=(110, 120)))
    assert judge_uniform(few).state is State.UNKNOWN


def test_what_else_broke_in_the_judged_arm_counts() -> None:
    record = arm(CELL).remove("load", state="ended").load_ended(END_S, statuses={"200": 2900, "502": 100})
    record.answers(3.0, s502=100)
    verdict = judged(without(), ("jitter-100", record))
    assert FindingId.FAILED_RESPONSES in [finding.id for finding in verdict.findings]
    broken = arm(replace(CELL, max_requests_jitter=0)).remove("load", state="ended")
    broken.load_ended(END_S, statuses={"200": 2900, "502": 100}).answers(3.0, s502=100)
    assert judged(("jitter-0", broken), ("jitter-100", arm(CELL))).outcome is Outcome.HOLDS


def test_without_the_arm_that_was_asked_for_there_is_no_answer() -> None:
    """Somebody pressed Ctrl-C after the first arm, which is there to compare with."""
    verdict = judged(without(), asked=CELL)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.findings == ()
    assert "was not made" in " ".join(verdict.reasons)


def test_a_worker_that_serves_more_than_it_drew_is_found() -> None:
    record = arm(CELL)
    record.served(1.0, 1003, 1)
    verdict = judged(without(), ("jitter-100", record))
    assert verdict.invariants["limits-in-range"] is State.VIOLATED
    assert f"served 1 requests more than it drew; {WORKERS - 1} of {WORKERS} ended" in verdict.findings[0].detail
    threaded = record.with_cell(worker="gthread", threads=2)
    assert judged(("jitter-100", threaded)).outcome is Outcome.HOLDS, "it may have accepted more connections"


def test_the_chart_shows_every_arm_over_time_and_by_jitter() -> None:
    chart = draw(replace(CELL, scenario="jitter"), recorded(without(), ("jitter-100", arm(CELL))))
    assert chart is not None
    assert chart.from_s == 0
    assert chart.to_s == pytest.approx(END_S, abs=0.01)
    over_time, by_jitter = chart.spec["vconcat"]
    lines = over_time["layer"][0]["data"]["values"]
    worst = {name: max(row["away"] for row in lines if row["arm"] == name) for name in ("jitter-0", "jitter-100")}
    assert worst["jitter-0"] == WORKERS
    measured = next(layer for layer in by_jitter["layer"] if layer["mark"]["type"] == "point")["data"]["values"]
    assert {row["jitter"]: row["worst"] for row in measured} == {0: WORKERS, 100: worst["jitter-100"]}
    assert over_time["layer"][-1]["data"]["values"] == [{"most": WORKERS / 2, "name": "allowed"}]


def test_without_the_hook_there_is_no_chart() -> None:
    record = arm(CELL).remove("log", state="ready")
    assert draw(replace(CELL, scenario="jitter"), recorded(("jitter-100", record))) is None


def test_a_record_with_other_settings_is_refused() -> None:
    with pytest.raises(UsageError, match="its settings can't be read"):
        judged(without(), most_away=None)
