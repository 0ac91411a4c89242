"""Both loads compare each answer with its request: against servers that answer wrongly in one way each."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from harness.core.model import Cell
from harness.core.paths import fixtures_dir
from harness.stack.answers import TEXT, TEXT_VARIABLE, make_body
from harness.stack.load import LOADS
from harness.stack.load.result import RESULT_VARIABLE, LoadReport, parse_result
from tests.integration.servers import Behaviour, read_head, serving
from tests.integration.stubs import needs_tools

_ID = re.compile(rb"x-request-id: ([wpd]\d+)", re.IGNORECASE)
EVERY = 7
"""One answer in so many is not the right one."""


def render_answer(status: bytes, request_id: bytes | None, body: bytes) -> bytes:
    named = b"" if request_id is None else b"X-Request-Id: %s\r\n" % request_id
    return b"HTTP/1.1 %s\r\nContent-Type: text/html; charset=UTF-8\r\n%sContent-Length: %d\r\n\r\n%s" % (
        status,
        named,
        len(body),
        body,
    )


def misbehaving(fault: str) -> Behaviour:
    """Like the app under test, but for one answer in EVERY."""
    asked = 0
    last = b"w0"

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked, last
        while head := await read_head(reader):
            found = _ID.search(head)
            assert found is not None
            own, other = found[1], last
            asked, last = asked + 1, own
            right = render_answer(b"200 OK", own, make_body(own))
            faulty = {
                "right": right,
                "headers": render_answer(b"200 OK", None, make_body(own)),
                "foreign": render_answer(b"200 OK", other, make_body(other)),
                "empty": render_answer(b"200 OK", own, b""),
                "body": render_answer(b"200 OK", own, TEXT),
                "status": render_answer(b"202 Accepted", own, make_body(own)),
                "app-error": render_answer(b"503 Busy", own, b"Busy").replace(
                    b"\r\n", b"\r\nX-Request-Status: 503\r\n", 1
                ),
                "server-error": render_answer(b"500 Oh no", None, b"Oh no"),
            }
            writer.write(right if asked % EVERY else faulty[fault])

    return behave


def drive(load: str, fault: str, folder: Path) -> LoadReport:
    cell = Cell(spec="stub", connections=8, load_threads=2, duration_s=1.0, load=load)
    generator, result = LOADS[load], folder / "load.result"
    program = generator.find_program()
    with serving(misbehaving(fault)) as url:
        argv = generator.render_command(
            str(program.path), cell, url=url, script=str(fixtures_dir() / "load" / (generator.SCRIPT or ""))
        )
        env = {**os.environ, **program.env, RESULT_VARIABLE: str(result), TEXT_VARIABLE: TEXT.decode()}
        env |= generator.ledger_environment(cell, str(folder / "ledger"))
        subprocess.run(argv, env=env, cwd=folder, check=True, capture_output=True, timeout=20)
    report = parse_result(result.read_text())
    assert report is not None
    return report


def total(report: LoadReport) -> tuple[Counter[str], Counter[str]]:
    """(wrong answers by kind, the app's own errors by status)."""
    wrong: Counter[str] = Counter()
    own: Counter[str] = Counter()
    for row in report.answers:
        wrong.update(row.wrong)
        own.update(row.by_app)
    return wrong, own


FAULTS = ("right", "headers", "foreign", "empty", "body", "status", "app-error", "server-error")
WITH_HTTPX_IN_EACH_TEST_RUN = {"right", "foreign", "body", "app-error"}


@needs_tools
@pytest.mark.parametrize(
    ("load", "fault"),
    [
        *(("wrk", fault) for fault in FAULTS),
        *(
            pytest.param("httpx", fault, marks=() if fault in WITH_HTTPX_IN_EACH_TEST_RUN else pytest.mark.slow)
            for fault in FAULTS
        ),
    ],
)
def test_each_kind_of_wrong_answer_is_counted_as_what_it_is(load: str, fault: str, tmp_path: Path) -> None:
    report = drive(load, fault, tmp_path)
    wrong, own = total(report)
    assert report.requests > 3 * EVERY
    expected = report.requests // EVERY
    kinds = {fault} if fault in {"headers", "foreign", "empty", "body", "status"} else set()
    assert set(wrong) == kinds
    assert sum(wrong.values()) == pytest.approx(expected if kinds else 0, abs=8)
    assert sum(own.values()) == pytest.approx(expected if fault == "app-error" else 0, abs=8)
    assert sum(sum(row.values()) for row in report.took.values()) > report.requests * 0.7
