from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from harness.core.findings import FindingId
from harness.core.model import Cell, Finding, Note, Outcome, State, Verdict
from harness.records.stored import StoredRun
from harness.report.as_html import render_html
from harness.report.as_markdown import render_markdown
from harness.report.as_terminal import render_terminal

RecordRun = Callable[..., StoredRun]
CELL = Cell(spec="23.0.0", gunicorn="23.0.0", python="3.10.13")
SURVIVED = {"socket-survives": State.HOLDS}


def render(run: StoredRun, *, colour: bool = False, width: int = 100) -> str:
    return render_terminal(run, colour=colour, width=width)


def test_the_socket_comes_first_then_the_rest(record_run: RecordRun) -> None:
    run = record_run()
    lines = render(run).splitlines()
    assert lines[0] == "Socket file deleted 1.27 s after the load began"
    assert lines[1] == "gunicorn 19.6.0, gthread worker: violated"
    text = "\n".join(lines)
    order = ["Also broken", "permanent-outage", "What happened", "Who did it: worker, pid 4711, os.unlink"]
    order += [
        "gunicorn/sock.py:123 close",
        "os.unlink(self.cfg_addr)",
        "Counts",
        "Shims",
        "Deviations",
        "Time",
        "Record",
    ]
    places = [text.index(part) for part in order]
    assert places == sorted(places)
    assert lines[-1] == f"  Next    harness bundle {run.path}"
    assert "200: 2,731, 502: 9,614" in text


def test_failed_responses_are_not_taken_for_the_socket_bug(record_run: RecordRun) -> None:
    lost = Finding(id=FindingId.FAILED_RESPONSES, at_s=0.5, detail="12 of 20,000 requests failed")
    verdict = Verdict(
        cell=CELL, outcome=Outcome.VIOLATED, reasons=(), findings=(lost,), invariants=SURVIVED, counts={"recycles": 34}
    )
    text = render(record_run(verdict=verdict))
    assert text.startswith("Socket file survived 34 recycles\ngunicorn 23.0.0, gthread worker: violated\n")
    assert "What broke (this is not the deleted socket)" in text
    assert "failed-responses  at 0.5 s: 12 of 20,000 requests failed" in text


def test_a_holds_says_how_strong_it_is(record_run: RecordRun) -> None:
    verdict = Verdict(
        cell=CELL,
        outcome=Outcome.HOLDS,
        reasons=(),
        invariants=SURVIVED,
        counts={"recycles": 34, "requests": 20000},
        strength={"recycles": 34, "requests": 20000, "failure_rate_upper_95": 0.0843},
    )
    text = " ".join(render(record_run(verdict=verdict)).split())
    assert (
        "no failure in 34 recycles and 20,000 requests; with 95 % confidence fewer than 8.43% of all recycles" in text
    )


def test_tcp_has_no_socket_file(record_run: RecordRun) -> None:
    verdict = Verdict(cell=replace(CELL, bind="tcp"), outcome=Outcome.HOLDS, reasons=())
    assert render(record_run(verdict=verdict)).startswith("Not applicable: bound to a TCP port")


def test_inconclusive_says_why_and_claims_nothing(record_run: RecordRun) -> None:
    verdict = Verdict(
        cell=CELL,
        outcome=Outcome.INCONCLUSIVE,
        reasons=("only 2 recycles were seen",),
        invariants={"socket-survives": State.UNKNOWN},
        invariant_reasons={"socket-survives": "the watcher died"},
    )
    text = render(record_run(verdict=verdict))
    assert text.startswith("Socket file: unknown (the watcher died)")
    assert "only 2 recycles were seen" in text


@pytest.mark.parametrize("outcome", [Outcome.ERROR, Outcome.UNRUNNABLE])
def test_failures_say_what_why_and_remedy_first(record_run: RecordRun, outcome: Outcome) -> None:
    error = {"type": "SurroundingsError", "what": "h2o is missing", "remedy": "harness doctor --install", "log": None}
    verdict = Verdict(cell=Cell(spec="19.6.0"), outcome=outcome, reasons=("no proxy",), error=error)
    lines = render(record_run(verdict=verdict, logs={}, config={})).splitlines()
    assert lines[0] == f"{outcome.value.upper()}: gunicorn 19.6.0, gthread worker"
    assert [line.split() for line in lines[1:4]] == [
        ["What", "h2o", "is", "missing"],
        ["Why", "no", "proxy"],
        ["To", "do", "harness", "doctor", "--install"],
    ]


@pytest.mark.parametrize("outcome", [Outcome.ERROR, Outcome.UNRUNNABLE])
@pytest.mark.parametrize("width", [60, 100])
def test_where_nothing_ran_five_lines_say_it_all(record_run: RecordRun, outcome: Outcome, width: int) -> None:
    address = "https://index.example/a-rather-long-path/of-many-parts/to-a-file-1.2.3-linux.tar.gz"
    what = f"no Python here runs it, whatever was tried, and none can be fetched from {address} either, it seems"
    error = {"type": "UnrunnableError", "what": what, "remedy": "install one, or name one with --python", "log": None}
    verdict = Verdict(cell=Cell(spec="19.6.0"), outcome=outcome, reasons=(what,), error=error)
    run = record_run(verdict=verdict, facts={"gunicorn": None}, logs={}, config={})

    lines = render(run, width=width).splitlines()

    assert len(lines) <= 5
    assert lines[0] == f"{outcome.value.upper()}: gunicorn 19.6.0, gthread worker"
    assert lines[1].startswith("  What    no Python here runs it")
    assert "  To do   install one, or name one with --python" in lines
    assert lines[-1] == f"  Record  {run.path}"
    assert not any("Counts" in line or "bundle" in line for line in lines)
    assert all(address in line for line in lines if "https" in line)


def test_colour_only_where_asked_and_width_is_kept(record_run: RecordRun) -> None:
    run = record_run()
    plain = render(run, width=60)
    assert "\x1b" not in plain
    wrapped = [line for line in plain.splitlines() if str(run.path) not in line]
    assert max(map(len, wrapped)) <= 60
    coloured = render(run, colour=True, width=60)
    assert coloured.startswith("\x1b[1;31mSocket")
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain


def test_a_hostile_record_can_neither_steer_the_terminal_nor_break_the_report(record_run: RecordRun) -> None:
    def spoil(verdict: dict[str, Any]) -> None:
        verdict["findings"][0]["detail"] = "\x1b[2J\x07evil\u202e"
        verdict["findings"].append("no object")
        verdict["story"] = [7, {"at_s": "x", "what": ["y"]}]
        verdict["counts"]["statuses"] = {"\x1b]0;x": 1, "200": None}
        verdict["timing_s"] = None
        verdict["cell"]["worker"] = {"a": 1}

    text = render(record_run(edit=spoil, facts={"gunicorn": None, "deviations": 3}))
    assert "evil" in text
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)


def test_notes_are_told_in_every_report(record_run: RecordRun) -> None:
    note = Note(id="app-errors", detail="the app itself answered <3> requests with an error")
    verdict = Verdict(cell=CELL, outcome=Outcome.HOLDS, reasons=(), invariants=SURVIVED, notes=(note,))
    run = record_run(verdict=verdict)
    assert "app-errors  the app itself answered <3> requests with an error" in render(run)
    assert "app-errors: the app itself answered" in render_markdown(run)
    assert "answered &lt;3&gt; requests" in render_html(run)


def test_the_strength_stands_in_the_first_lines(record_run: RecordRun) -> None:
    strength = {"failure_rate_upper_95": 0.08, "failure_rate_per_request_upper_95": 0.00015, "recycles": 34}
    verdict = Verdict(cell=CELL, outcome=Outcome.HOLDS, reasons=(), counts={"requests": 20000}, strength=strength)
    text = " ".join(line.strip() for line in render(record_run(verdict=verdict)).splitlines()[:6])
    assert "fewer than 8.00% of all recycles and fewer than 0.00015 of all requests fail" in text
