"""Real runs, kept as attachments: whatever the judge becomes, it says of them what was seen when they were made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.core.findings import FindingId
from harness.core.model import Outcome
from harness.engine.conclusion import judge_path

RECORDS = Path(__file__).parents[1] / "records"
EXPECTED: Mapping[str, Mapping[str, Any]] = json.loads((RECORDS / "expected.json").read_text())
WITHOUT_RECORD = frozenset(
    {
        *(FindingId.SOCKET_UNREACHABLE, FindingId.WRONG_ANSWERS, FindingId.EXECUTED_TWICE),
        *(FindingId.WORKERS_IDLE, FindingId.WORKERS_SURPLUS),
        *(FindingId.SIGNAL_IGNORED, FindingId.ARBITER_CRASHED),
    }
)
"""Findings of which no run is kept yet: see tests/records/README.md."""


@pytest.mark.parametrize("name", EXPECTED)
def test_a_stored_record_is_judged_as_when_it_was_made(name: str) -> None:
    expected = EXPECTED[name]
    _, content = judge_path(RECORDS / f"{name}.zip")
    now: Any = content
    assert now["verdict"] == expected["verdict"], now["reasons"]
    assert [finding["id"] for finding in now["findings"]] == expected["findings"]
    # An invariant that came after the record may say what it likes, as long as it changes nothing above.
    assert {key: state for key, state in now["invariants"].items() if key in expected["invariants"]} == expected[
        "invariants"
    ]


def test_the_table_names_the_records_that_are_there() -> None:
    assert sorted(EXPECTED) == sorted(path.stem for path in RECORDS.glob("*.zip"))


def test_each_verdict_and_each_finding_has_a_record() -> None:
    assert {expected["verdict"] for expected in EXPECTED.values()} == {outcome.value for outcome in Outcome}
    found = {finding for expected in EXPECTED.values() for finding in expected["findings"]}
    assert found == {identity.value for identity in set(FindingId) - WITHOUT_RECORD}
