from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.core.model import Cell
from harness.core.request_fields import parse_header, parse_method, parse_path, parse_status
from harness.report.as_script import read_asked
from harness.stack.asked import ASKED, Asked, is_plain_get, make_asked, parse_json, render_json, render_lua

CELL = Cell(
    spec="1", path="/orders?x=1", method="PUT", header="Host: shop\nX-A: b: c", body="o.json", expect_status=201
)


def test_the_request_of_a_cell() -> None:
    asked = make_asked(CELL, b"{}")
    assert asked == Asked(
        method="PUT", path="/orders?x=1", headers=(("Host", "shop"), ("X-A", "b: c")), body=b"{}", status="201"
    )
    assert make_asked(Cell(spec="1"), b"") == ASKED
    assert is_plain_get(Cell(spec="1"))
    assert not is_plain_get(CELL)
    assert make_asked(Cell(spec="1", path="/x"), b"").is_plain


def test_each_load_gets_the_same() -> None:
    asked = make_asked(CELL, b'"\\\n\x00\xff]]')
    assert parse_json(render_json(asked)) == asked
    assert render_lua(asked).splitlines() == [
        'wrk.method = "PUT"',
        'wrk.headers["Host"] = "shop"',
        'wrk.headers["X\\045A"] = "b\\058\\032c"',
        'wrk.body = "\\034\\092\\010\\000\\255\\093\\093"',
    ]


def test_the_script_that_repeats_a_run_reads_the_body_that_was_kept(tmp_path: Path) -> None:
    (tmp_path / "body").write_bytes(b"kept")
    assert read_asked(CELL, tmp_path).body == b"kept"
    assert read_asked(Cell(spec="1"), tmp_path) == ASKED


@pytest.mark.parametrize(
    ("parse", "good", "bad"),
    [
        (parse_path, ["/", "/a?b#".rstrip("#"), "/%20"], ["", "a", "/a b", "/a\r\nX: y", "/#x", "http://x/", "/ü"]),
        (parse_method, ["GET", "PATCH"], ["get", "", "HEAD", "CONNECT", "GET / HTTP/1.1"]),
        (
            parse_header,
            ["Host: x", "X-A:b", "X-Empty:", "A: b\nC: d"],
            ["", "x", ": y", "Content-Length: 3", "X-Request-Id: w1", "Connection: close", "A b: c"],
        ),
        (parse_status, ["200", "301", "404"], ["500", "100", "20", "x", "2000"]),
    ],
)
def test_what_a_request_may_be_made_of(parse: Callable[[str], object], good: list[str], bad: list[str]) -> None:
    assert [str(parse(text)) for text in good] == good
    for text in bad:
        with pytest.raises(argparse.ArgumentTypeError):
            parse(text)
