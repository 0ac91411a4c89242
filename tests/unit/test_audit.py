"""What pip-audit says, as an answer: advisories, none, or that nothing was found out."""

from __future__ import annotations

import json

from maintenance.audit import Audit, conclude, parse_audit

GOOD = {"name": "a", "version": "1", "vulns": []}
BAD = {"name": "b", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3"]}]}
UNKNOWN = {"name": "c", "skip_reason": "Dependency not found"}


def said(*packages: object) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


def test_advisories_are_told_and_fail() -> None:
    assert conclude(parse_audit(said(GOOD, BAD, UNKNOWN)), "") == (1, "b 2: PYSEC-1, mended in 3")


def test_none_is_no_failure() -> None:
    assert parse_audit(said(GOOD, UNKNOWN)) == Audit(audited=1, advisories=())
    assert conclude(parse_audit(said(GOOD)), "") == (0, "audit: no advisory is known for 1 packages")


def test_where_nothing_was_found_out_it_says_so() -> None:
    assert "skipped" in conclude(parse_audit(said(UNKNOWN)), "")[1]
    status, told = conclude(parse_audit("Traceback"), "x\nConnectionError: no name\n")
    assert status == 0
    assert told.startswith("audit: skipped")
    assert told.endswith("ConnectionError: no name")
