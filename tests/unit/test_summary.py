"""The sentences that the reports share, from stored JSON that may hold anything."""

from __future__ import annotations

from typing import Any

import pytest

from harness.core.findings import FindingId
from harness.report import summary
from harness.report.summary import Headline, Tone

DELETED = {"id": "socket-deleted", "at_s": 1.27, "detail": "the path vanished"}


def answer(**verdict: Any) -> Headline:
    return summary.socket_answer({"verdict": "holds", "counts": {"recycles": 34}, **verdict})


def of_socket(state: str) -> dict[str, str]:
    return {FindingId.SOCKET_DELETED.invariant: state}


def test_a_deleted_socket_file_is_the_first_thing_said() -> None:
    said = answer(verdict="violated", findings=[{"id": "failed-responses"}, DELETED])
    assert said == Headline(sentence="socket file deleted 1.27 s after the load began", tone=Tone.BAD)


@pytest.mark.parametrize(
    ("at_s", "sentence"), [(None, "socket file deleted"), (-0.5, "socket file deleted before the load began")]
)
def test_when_it_was_deleted(at_s: float | None, sentence: str) -> None:
    assert answer(findings=[{**DELETED, "at_s": at_s}]).sentence == sentence


@pytest.mark.parametrize(
    ("verdict", "recycles", "tone"),
    [
        ("holds", 34, Tone.GOOD),
        ("violated", 34, Tone.GOOD),
        ("inconclusive", 34, Tone.UNSURE),
        ("holds", 0, Tone.UNSURE),
    ],
)
def test_a_socket_file_that_survived_is_good_only_where_enough_was_seen(
    verdict: str, recycles: int, tone: Tone
) -> None:
    said = answer(verdict=verdict, counts={"recycles": recycles}, invariants=of_socket("holds"))
    assert said == Headline(sentence=f"socket file survived {recycles} recycles", tone=tone)


def test_over_tcp_there_is_no_socket_file() -> None:
    assert answer(cell={"bind": "tcp"}).sentence.startswith("not applicable")


def test_what_nobody_knows_is_said_with_its_reason() -> None:
    reasons = of_socket("the watcher died")
    said = answer(invariants=of_socket("unknown"), invariant_reasons=reasons)
    assert said == Headline(sentence="socket file: unknown (the watcher died)", tone=Tone.UNSURE)
    assert answer(invariants=of_socket("violated")).tone is Tone.BAD
    assert summary.socket_answer({}).tone is Tone.UNSURE


def test_only_a_verdict_of_holds_has_a_strength() -> None:
    strength = {"recycles": 30, "requests": 6548, "failure_rate_upper_95": 0.0951}
    line = summary.strength_line({"verdict": "holds", "strength": strength})
    assert line == (
        "no failure in 30 recycles and 6,548 requests; with 95 % confidence fewer than 9.51% of all recycles fail"
    )
    assert summary.strength_line({"verdict": "violated", "strength": strength}) is None
    unbound = summary.strength_line({"verdict": "holds", "counts": {"requests": 1}, "strength": {"recycles": 1}})
    assert unbound == "no failure in 1 recycle and 1 request; no bound of the failure rate is known"


def test_an_error_says_what_why_and_what_to_do_and_nothing_twice() -> None:
    error = {"what": "no h2o", "remedy": "install it", "log": "logs/install.log"}
    assert summary.error_lines({"error": error, "reasons": ["the set-up is broken"]}) == [
        ("What", "no h2o"),
        ("Why", "the set-up is broken"),
        ("To do", "install it"),
        ("More in", "logs/install.log"),
    ]
    assert summary.error_lines({"reasons": ["too few recycles"]}) == [("What", "too few recycles")]
    assert summary.error_lines({}) == [("What", "no reason was recorded")]


def test_a_scenario_answers_for_itself() -> None:
    verdict: dict[str, Any] = {
        "scenario": {"tables": [{"title": "t", "head": ["a", "b"], "rows": [[1], [1, 2, 3]]}, {"rows": [[1]]}]}
    }
    assert summary.is_scenario(verdict)
    assert not summary.is_scenario({"scenario": None})
    assert summary.tables_of(verdict) == [("t", ["a", "b"], [["1", ""], ["1", "2"]])]


def test_culprits_are_told_once_each() -> None:
    culprit: dict[str, Any] = {"role": "worker", "pid": 4711, "call": "os.unlink"}
    found: list[Any] = [
        {"id": "x", "culprit": culprit},
        {"id": "y", "culprit": dict(culprit)},
        {"id": "z"},
        "no finding",
    ]
    assert summary.culprits({"findings": found}) == [culprit]
    assert summary.name_culprit(culprit) == "worker, pid 4711, os.unlink"


def test_what_a_later_version_counts_is_shown_too() -> None:
    counts: dict[str, Any] = {"requests": 12345, "statuses": {"200": 3}, "new_kind": "x", "ledger": {"answered": 1}}
    lines = dict(summary.count_lines({"counts": counts}))
    assert lines.keys() == {"requests", "statuses", "new kind"}
    assert lines["requests"] == "12,345"
    assert "200" in lines["statuses"]
