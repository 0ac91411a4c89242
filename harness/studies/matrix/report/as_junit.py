"""A matrix as JUnit XML for CI systems: one suite, one test case a cell; what was expected passes, good or bad."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from harness.core.model import Outcome
from harness.disturb import RECYCLE
from harness.report.as_junit import write_xml
from harness.report.fields import clean
from harness.studies.matrix.document import Matrix
from harness.studies.matrix.report import summary
from harness.studies.matrix.result import Agreement, CellResult


def render_junit(matrix: Matrix) -> str:
    """The suite as XML text.

    A cell that differs from what was expected is a failure; an undecided one an error, or skipped where it is only
    inconclusive or unrunnable: none of them looks like a pass.
    """
    root = ET.Element("testsuites")
    results = [_result(cell) for cell in matrix.cells]
    suite = ET.SubElement(root, "testsuite", name="recycle-harness matrix", tests=str(len(results)))
    for name, element in _COUNTED.items():
        suite.set(name, str(results.count(element)))
    suite.set("timestamp", matrix.made_utc)
    for cell, result in zip(matrix.cells, results, strict=True):
        _add(suite, cell, result)
    return write_xml(root)


_COUNTED = {"failures": "failure", "errors": "error", "skipped": "skipped"}


def _result(cell: CellResult) -> str | None:
    if cell.agreement is Agreement.EXPECTED:
        return "skipped" if cell.folded.outcome in (Outcome.UNRUNNABLE, Outcome.INCONCLUSIVE) else None
    if cell.agreement is Agreement.DIFFERENT:
        return "failure"
    return "error" if cell.folded.outcome is Outcome.ERROR else "skipped"


def _add(suite: ET.Element, cell: CellResult, result: str | None) -> None:
    classname = clean(
        ".".join(["gunicorn", cell.worker, cell.proxy, *([] if cell.disturb == RECYCLE else [cell.disturb])])
    )
    case = ET.SubElement(suite, "testcase", classname=classname, name=clean(cell.release), time="0.000")
    _add_rates(case, cell)
    if result is None:
        return
    element = ET.SubElement(case, result, message=clean(summary.seen(cell)))
    if result != "skipped":
        element.set("type", cell.folded.outcome.value)
    differs = cell.agreement is Agreement.DIFFERENT
    body = "\n".join(summary.difference_lines([cell])) if differs else summary.why_undecided(cell)
    element.text = clean(body)


def _add_rates(case: ET.Element, cell: CellResult) -> None:
    """The rates as properties of the case."""
    texts = zip(_RATES, (summary.rates_of(cell), *summary.losses_of(cell)), strict=True)
    said = [(name, text) for name, text in texts if text]
    if said:
        properties = ET.SubElement(case, "properties")
        for name, text in said:
            ET.SubElement(properties, "property", name=name, value=clean(text))


_RATES = ("seen in runs (95 %)", "lost per restart (95 %)", "lost per request (95 %)")
