from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.core.events.base import Event
from harness.stack.proxies import h2o, haproxy
from harness.watch import logs
from harness.watch.event_log import EventSink
from harness.watch.logs import GunicornLog, read_trace, tally_gunicorn, tally_proxy, tally_proxy_errors
from tests.unit.events import fields_of


class _Sink(EventSink):
    """A sink whose events can be looked at."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.events: list[Event] = []
        self.listen(self.events.append)

    def fields(self, kind: str) -> list[dict[str, Any]]:
        return [fields_of(event) for event in self.events if event.kind == kind]


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[_Sink]:
    sink = _Sink(tmp_path / "events.jsonl")
    yield sink
    sink.close()
    sink.check()


HEAD = "[2026-11-20 19:02:04 +0000] [101] [INFO] "


def test_each_line_of_the_error_log_is_an_event_of_its_time(sink: _Sink) -> None:
    GunicornLog(sink).handle(f"{HEAD}Booting worker with pid: 101\nTraceback (most\n".encode(), 42)
    assert [(event.at_ns, fields_of(event)["pid"], fields_of(event)["state"]) for event in sink.events] == [
        (42, 101, "booted"),
        (42, None, None),
    ]


def test_odd_line_ends_make_no_lines(sink: _Sink) -> None:
    GunicornLog(sink).handle("a\x0bb\x0cc\x85d\u2028e\rf\n\nlast\n".encode(), 1)
    assert [said["text"] for said in sink.fields("log")] == ["a\x0bb\x0cc\x85d\u2028e\rf", "", "last"]


def test_bytes_that_are_no_text_and_lines_that_are_too_long_are_kept_in_part(sink: _Sink) -> None:
    GunicornLog(sink).handle(b"\xff\n" + b"x" * 9000 + b"\n", 1)
    first, second = sink.fields("log")
    assert (first["text"], len(second["text"])) == ("\ufffd", logs.MAX_TEXT)


def test_what_gunicorn_says_is_kept_however_much_an_app_has_written_before_it(sink: _Sink) -> None:
    GunicornLog(sink).handle(b"." * (2 * logs.MAX_TEXT) + f"{HEAD}Worker exiting (pid: 101)\n".encode(), 1)
    assert [(said["text"], said["state"]) for said in sink.fields("log")] == [
        (f"{HEAD}Worker exiting (pid: 101)", "exiting")
    ]


def test_a_chatty_app_does_not_hide_what_is_said_about_processes(sink: _Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "MAX_LINES", 10)
    log = GunicornLog(sink)
    log.handle(b"noise\n" * 50, 1)
    log.handle(f"{HEAD}Autorestarting worker after current request.\nnoise\n".encode(), 2)
    said = sink.fields("log")
    assert len(said) == 11
    assert said[-1]["state"] == "restarting"


def test_gunicorns_access_log_is_tallied_by_worker(sink: _Sink) -> None:
    handle = tally_gunicorn(sink)
    handle(b'x "GET / HTTP/1.1" 200 1 "-" "-" <101>\n' * 3 + b'x "GET / HTTP/1.1" 500 1 "-" "-" <102>\n', 7)
    handle(b"nothing\n", 8)
    assert sink.fields("served") == [{"by_pid": {"101": {"200": 3}, "102": {"500": 1}}}]


def test_the_proxys_logs_are_tallied(sink: _Sink) -> None:
    tally_proxy(sink, h2o)(b'x "GET / HTTP/1.1" 502 1 "-" "-"\n' * 2, 7)
    tally_proxy_errors(sink, h2o)(b"[lib/core/proxy.c] in request:/:failed to connect to host\n" * 2, 8)
    tally_proxy(sink, h2o)(b"nothing\n", 9)
    tally_proxy_errors(sink, h2o)(b"nothing\n", 9)
    assert sink.fields("proxied") == [{"statuses": {"502": 2}}]
    assert sink.fields("proxy_errors") == [{"reasons": {"connect": 2}}]
    assert len(sink.events) == 2


def test_a_proxy_with_one_log_for_all_is_read_to_the_full(sink: _Sink) -> None:
    tally_proxy(sink, haproxy)(b'502 SH 0 "GET / HTTP/1.1" 0\n200 -- 0 "GET / HTTP/1.1" 1\n', 7)
    assert sink.fields("proxied") == [{"statuses": {"502": 1, "200": 1}}]
    assert sink.fields("proxy_errors") == [{"reasons": {"closed": 1}}]


def test_a_removal_keeps_the_time_of_the_call_and_gets_a_short_stack(sink: _Sink) -> None:
    said = {
        "kind": "removal",
        "at_ns": 5,
        "pid": 101,
        "ppid": 100,
        "call": "os.unlink",
        "failed": None,
        "stack": [
            ["/envs/x/lib/python3.6/site-packages/gunicorn/sock.py", 123, "close", "os.unlink(x)"],
            ["/usr/lib/python3.6/runpy.py", 85, "_run_code", ""],
            ["/usr/lib/python3.6/shutil.py", 500, "move", ""],
            ["/envs/x/bin/gunicorn", 8, "<module>", ""],
            ["/somewhere/else/app.py", 1, "f", ""],
            ["/usr/lib/python3/dist-packages/gunicorn/sock.py", 1, "f", ""],
            ["<string>", 1, "<module>", ""],
        ],
    }
    read_trace(sink, "/envs/x")((json.dumps(said) + "\n").encode(), 99)
    (event,) = sink.events
    assert (event.at_ns, event.kind, fields_of(event)["pid"]) == (5, "removal", 101)
    stack: Any = fields_of(event)["stack"]
    assert [file for file, *_ in stack] == [
        "gunicorn/sock.py",
        "lib/python3.6/shutil.py",
        "bin/gunicorn",
        "app.py",
        "gunicorn/sock.py",
        "<string>",
    ]


def test_a_problem_of_the_tracer_has_the_time_at_which_it_was_read(sink: _Sink) -> None:
    read_trace(sink, "")(b'{"kind": "tracer-problem", "text": "x", "pid": 1, "ppid": 0}\n', 99)
    assert [(event.kind, event.at_ns) for event in sink.events] == [("tracer-problem", 99)]


def test_a_trace_that_cannot_be_read_ends_the_watch_and_is_not_passed_over(sink: _Sink) -> None:
    with pytest.raises(json.JSONDecodeError):
        read_trace(sink, "")(b'{"kind": "remo\n', 99)
