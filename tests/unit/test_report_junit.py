from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any

import pytest

from harness.core.findings import FindingId
from harness.core.model import Cell, Finding, Outcome, State, Verdict
from harness.records.stored import StoredRun
from harness.report.as_junit import render_junit

RecordRun = Callable[..., StoredRun]
CELL = Cell(spec="19.6.0", gunicorn="19.6.0", python="3.6.15")


def parse(run: StoredRun) -> ET.Element:
    """The suite, after a look at the structure that CI systems expect."""
    root = ET.fromstring(render_junit(run))  # noqa: S314 - our own text, just made
    assert root.tag == "testsuites"
    (suite,) = root
    cases = suite.findall("testcase")
    assert [child.tag for child in suite] == ["properties", *("testcase" for _ in cases)]
    assert int(suite.attrib["tests"]) == len(cases)
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert int(suite.attrib[attribute]) == len(suite.findall(f"testcase/{tag}"))
    for case in cases:
        assert case.attrib.keys() == {"classname", "name", "time"}
        assert len(case) <= 1
        for result in case:
            assert "message" in result.attrib
            assert result.tag == "skipped" or result.attrib["type"]
    assert len({case.attrib["name"] for case in cases}) == len(cases)
    return suite


def results(suite: ET.Element) -> dict[str, str | None]:
    return {case.attrib["name"]: case[0].tag if len(case) else None for case in suite.findall("testcase")}


def test_a_finding_is_told_in_the_case_of_its_invariant_alone(record_run: RecordRun) -> None:
    lost = Finding(id=FindingId.CAPACITY_LOST, at_s=1.0, detail="64 of 64 workers were away at once")
    verdict = Verdict(
        cell=CELL,
        outcome=Outcome.VIOLATED,
        reasons=("capacity-kept: 64 of 64 workers were away at once",),
        findings=(lost,),
        invariants={"capacity-kept": State.VIOLATED},
    )
    suite = parse(record_run(verdict=verdict))
    assert results(suite) == {"capacity-kept": "failure"}


def test_one_case_an_invariant(record_run: RecordRun) -> None:
    suite = parse(record_run())
    assert results(suite) == {
        "socket-survives": "failure",
        "requests-answered": None,
        "service-recovers": "failure",
        "workers-respawn": None,
        "max-requests-honoured": "skipped",
    }
    failure = suite.find("testcase[@name='socket-survives']/failure")
    assert failure is not None
    assert failure.attrib["type"] == "socket-deleted"
    assert "gunicorn/sock.py:123 close" in (failure.text or "")
    properties = {entry.attrib["name"]: entry.attrib["value"] for entry in suite.findall("properties/property")}
    assert properties["verdict"] == "violated"
    assert properties["cell.python"] == "3.6.15"
    assert properties["version.h2o"] == "2.2.5"
    assert properties["cell.full_duration"] == "false"


@pytest.mark.parametrize(
    ("outcome", "result"),
    [(Outcome.ERROR, "error"), (Outcome.UNRUNNABLE, "skipped"), (Outcome.INCONCLUSIVE, "skipped")],
)
def test_no_verdict_that_is_no_answer_looks_like_a_pass(record_run: RecordRun, outcome: Outcome, result: str) -> None:
    error = {"type": "SurroundingsError", "what": "h2o is missing", "remedy": "install it"}
    verdict = Verdict(cell=CELL, outcome=outcome, reasons=("why",), invariants={"a": State.HOLDS}, error=error)
    suite = parse(record_run(verdict=verdict))
    assert results(suite) == {"a": None, "run": result}
    told = suite.find(f"testcase[@name='run']/{result}")
    assert told is not None
    assert "h2o is missing" in told.attrib["message"]


def test_no_finding_gets_lost(record_run: RecordRun) -> None:
    stray = Finding(id=FindingId.MEMORY_UNBOUNDED, at_s=None, detail="it grows")
    verdict = Verdict(cell=CELL, outcome=Outcome.VIOLATED, reasons=(), findings=(stray,))
    assert results(parse(record_run(verdict=verdict))) == {"memory-unbounded": "failure"}


def test_characters_that_xml_cannot_hold_are_replaced(record_run: RecordRun) -> None:
    def spoil(verdict: dict[str, Any]) -> None:
        verdict["findings"][0]["detail"] = "a\x00b\x1bc\ud800]]><!-- & \uffff"
        verdict["invariant_reasons"]["socket-survives"] = "\x0b"

    suite = parse(record_run(edit=spoil))
    failure = suite.find("testcase[@name='socket-survives']/failure")
    assert failure is not None
    assert "a\ufffdb\ufffdc\ufffd]]><!-- &" in failure.attrib["message"]
