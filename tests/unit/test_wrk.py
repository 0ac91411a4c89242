from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.model import Cell
from harness.core.paths import fixtures_dir
from harness.stack.answers import WRONG_ANSWERS
from harness.stack.load.result import BUCKET_NS, parse_result
from harness.stack.load.wrk import render_command

SUMMARY = "summary requests=12 connect=1 read=2 write=3 timeout=4\n"
WHOLE = "answers 100 200 5\nanswers 101 502 3\nanswers 100 200 2\nanswers 100 502 1\n" + SUMMARY


def test_the_command_of_the_original_report() -> None:
    assert render_command("wrk", Cell(spec="1"), url="http://127.0.0.1:1/", script="/r/wrk.lua") == [
        "wrk",
        "-t10",
        "-c200",
        "-d10s",
        "-s",
        "/r/wrk.lua",
        "http://127.0.0.1:1/",
    ]


def test_wrk_refuses_more_threads_than_connections_so_it_gets_fewer() -> None:
    assert "-t3" in render_command("wrk", Cell(spec="1", connections=3), url="u", script="s")


@pytest.mark.parametrize(("duration_s", "argument"), [(0.2, "-d1s"), (2.4, "-d2s"), (60.0, "-d60s")])
def test_wrk_takes_whole_seconds(duration_s: float, argument: str) -> None:
    assert argument in render_command("wrk", Cell(spec="1", duration_s=duration_s), url="u", script="s")


def test_a_result_is_summed_over_threads() -> None:
    result = parse_result(WHOLE)
    assert result is not None
    assert result.requests == 11
    assert result.statuses == {"200": 7, "502": 4}
    assert result.errors == {"closed": 5, "timeout": 4, "refused": 1}
    assert [(row.at_ns, row.outcomes) for row in result.answers] == [
        (100 * BUCKET_NS, {"200": 7, "502": 1}),
        (101 * BUCKET_NS, {"502": 3}),
    ]


def test_a_load_that_got_no_answer_is_still_a_result() -> None:
    result = parse_result(SUMMARY)
    assert result is not None
    assert (result.requests, result.answers) == (0, ())


@given(st.integers(0, len(WHOLE) - 1))
def test_a_torn_result_is_none(length: int) -> None:
    assert parse_result(WHOLE[:length]) is None


@pytest.mark.parametrize("text", ["", "\n", "answers 1 200\n" + SUMMARY, "answers 1 200 x\n" + SUMMARY, "\n" + SUMMARY])
def test_a_broken_result_is_none(text: str) -> None:
    assert parse_result(text) is None


def test_the_script_writes_what_is_read_here() -> None:
    script = (fixtures_dir() / "load" / "wrk.lua").read_text()
    assert '"summary requests=%d connect=%d read=%d write=%d timeout=%d\\n"' in script
    assert "US_PER_BUCKET = 1e4" in script
    assert BUCKET_NS == 10**4 * 1000
    assert f"local WRONG = {{{', '.join(f'{chr(34)}{kind}{chr(34)}' for kind in WRONG_ANSWERS)}}}" in script
