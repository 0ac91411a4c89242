"""A run as JUnit XML for CI systems: one suite, one test case an invariant.

Nothing that was recorded may break the XML: characters that it can't hold are replaced.
"""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping

from harness.core.findings import find_row
from harness.core.frozen import dataclass
from harness.core.model import Json, Outcome, State
from harness.records.stored import StoredRun
from harness.report import summary
from harness.report.fields import clean, dig, frames, mapping, number, text, texts
from harness.report.invariants import DOES_NOT_APPLY
from harness.report.known.causes import explain

_RUN = "run"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One test case; ``result`` is the name of the element that says why it did not pass, None where it did."""

    name: str
    result: str | None = None
    kind: str = ""
    message: str = ""
    body: str = ""


def render_junit(stored: StoredRun) -> str:
    """The suite as XML text.

    ``violated`` is a failure and ``unknown`` is skipped; an ``error`` verdict adds the case ``run`` with an error, an
    ``unrunnable`` or ``inconclusive`` one adds it as skipped, so that neither looks like a pass.

    Raises:
        UsageError: the run has no verdict.
    """
    verdict = stored.judged()
    cases = [*_invariant_cases(verdict), *_stray_findings(verdict), *_run_case(verdict)]
    root = ET.Element("testsuites")
    total_s = number(verdict, "timing_s", "total") or 0
    suite = ET.SubElement(root, "testsuite", {"name": f"recycle-harness {stored.run_id}"} | _totals(cases))
    suite.set("time", f"{total_s:.3f}")
    started = text(stored.facts, "started_utc", default="")
    if started:
        suite.set("timestamp", started)
    properties = ET.SubElement(suite, "properties")
    for name, value in _properties(stored, verdict):
        ET.SubElement(properties, "property", name=name, value=value)
    for case in cases:
        _add(suite, case, classname=f"gunicorn.{summary.release(verdict)}.{text(verdict, 'cell', 'worker')}")
    return write_xml(root)


def write_xml(root: ET.Element) -> str:
    """The tree as text, without any character that XML can't hold, wherever it came from."""
    for element in root.iter():
        element.attrib = {clean(name): clean(value) for name, value in element.attrib.items()}
        element.text = None if element.text is None else clean(element.text)
    ET.indent(root, " ")
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _totals(cases: list[_Case]) -> dict[str, str]:
    names = {"failures": "failure", "errors": "error", "skipped": "skipped"}
    counted = {name: str(sum(case.result == result for case in cases)) for name, result in names.items()}
    return {"tests": str(len(cases)), **counted}


def _properties(stored: StoredRun, verdict: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    yield "run", stored.run_id
    yield "verdict", text(verdict, "verdict")
    recovery = summary.recovery_line(verdict)
    if recovery is not None:
        yield "recovery", recovery.removeprefix("Recovery: ")
    for name in mapping(verdict, "cell"):
        yield f"cell.{clean(name)}", text(verdict, "cell", name, default=json.dumps(dig(verdict, "cell", name)))
    for name, version in summary.versions(stored):
        yield f"version.{name}", version


def _add(suite: ET.Element, case: _Case, *, classname: str) -> None:
    element = ET.SubElement(suite, "testcase", classname=classname, name=case.name, time="0.000")
    if case.result is not None:
        result = ET.SubElement(element, case.result, message=case.message)
        if case.result != "skipped":
            result.set("type", case.kind)
        result.text = case.body or None


def _invariant_cases(verdict: Mapping[str, Json]) -> Iterator[_Case]:
    for raw in mapping(verdict, "invariants"):
        name, state = clean(raw), dig(verdict, "invariants", raw)
        why = text(verdict, "invariant_reasons", raw, default="no reason was recorded")
        if state == State.HOLDS.value and why.startswith(DOES_NOT_APPLY):
            yield _Case(name=name, result="skipped", message=why)
        elif state == State.HOLDS.value:
            yield _Case(name=name)
        elif state == State.VIOLATED.value:
            own = [finding for finding in summary.findings(verdict) if _invariant_of(finding) == raw]
            yield _failure(name, own, why, _explain(verdict, own))
        else:
            yield _Case(name=name, result="skipped", message=why)


def _stray_findings(verdict: Mapping[str, Json]) -> Iterator[_Case]:
    """Findings whose invariant does not say ``violated``: none may get lost."""
    for finding in summary.findings(verdict):
        if dig(verdict, "invariants", _invariant_of(finding)) != State.VIOLATED.value:
            yield _failure(_id(finding), [finding], "", _explain(verdict, [finding]))


def _explain(verdict: Mapping[str, Json], findings: list[Mapping[str, Json]]) -> list[str]:
    """Why these findings are there, and what helps."""
    own = {_id(finding) for finding in findings}
    said = []
    for one in explain(verdict):
        if own.intersection(one.findings):
            said.append(f"Why: {one.sentence}")
            said += [f"Known: {one.history}"] if one.history else []
            if one.cause is not None:
                said += [f"Upstream: {address}" for _, address in one.cause.addresses]
                said += [f"Helps: {change} (costs: {cost})" for change, cost in one.cause.rows]
    return said


def _failure(name: str, findings: list[Mapping[str, Json]], why: str, known: list[str]) -> _Case:
    kind = ", ".join(dict.fromkeys(map(_id, findings))) or "violated"
    message = "; ".join(summary.describe(finding) for finding in findings) or why
    body = "\n".join([why, *(line for finding in findings for line in _finding_lines(finding)), *known])
    return _Case(name=name, result="failure", kind=kind, message=message, body=body)


def _finding_lines(finding: Mapping[str, Json]) -> Iterator[str]:
    yield f"{_id(finding)} {summary.describe(finding)}"
    culprit = finding.get("culprit")
    if isinstance(culprit, Mapping):
        yield f"  by {summary.name_culprit(culprit)}"
        for frame, source in frames(culprit):
            yield f"    {frame}"
            if source:
                yield f"        {source}"


def _run_case(verdict: Mapping[str, Json]) -> Iterator[_Case]:
    outcome = text(verdict, "verdict")
    if outcome in (Outcome.HOLDS.value, Outcome.VIOLATED.value):
        return
    rows = summary.error_lines(verdict)
    kind = text(verdict, "error", "type", default=outcome)
    body = "\n".join([f"{label}: {said}" for label, said in rows] + texts(verdict, "reasons"))
    result = "error" if outcome == Outcome.ERROR.value else "skipped"
    yield _Case(name=_RUN, result=result, kind=kind, message=f"{outcome}: {rows[0][1]}", body=body)


def _id(finding: Mapping[str, Json]) -> str:
    return text(finding, "id")


def _invariant_of(finding: Mapping[str, Json]) -> str:
    """Whose test case tells of it; findings that this version does not know get one of their own."""
    row = find_row(finding.get("id"))
    return "" if row is None else row.invariant
