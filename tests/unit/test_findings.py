"""The table of findings: what is derived from it, and the docs that are made from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.core.findings import OF_SCENARIOS, ORDER, FindingId, find_row
from harness.judge import invariants
from harness.judge.invariants import INVARIANTS
from harness.judge.scenarios import leak
from maintenance.findings import TABLES, put_table, render_short


def test_a_row_is_found_by_its_stored_id() -> None:
    assert find_row("socket-deleted") is FindingId.SOCKET_DELETED
    assert [find_row(name) for name in ("later-than-this-version", None, 3, ["socket-deleted"])] == [None] * 4


def test_the_order_is_that_of_the_rows() -> None:
    assert sorted(FindingId, key=lambda finding: ORDER[finding]) == list(FindingId)
    assert ORDER["socket-deleted"] == 0


def test_each_finding_breaks_an_invariant_that_is_judged() -> None:
    assert {finding.invariant for finding in FindingId} == set(INVARIANTS) | OF_SCENARIOS
    assert {leak.BOUNDED, "capacity-kept"} == OF_SCENARIOS


def test_no_module_of_the_invariants_is_left_unasked() -> None:
    modules = {path.stem for path in Path(invariants.__path__[0]).glob("[!_]*.py")}
    assert modules == {name.replace("-", "_") for name in INVARIANTS}


@pytest.mark.parametrize("page", TABLES, ids=lambda page: page.name)
def test_the_docs_have_the_table_of_the_code(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert put_table(text, TABLES[page]()) == text, "make structure"


def test_a_page_without_a_place_for_the_table_is_an_error() -> None:
    with pytest.raises(ValueError, match="0 places"):
        put_table("no marks", render_short())
