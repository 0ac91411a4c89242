"""Whether an answer is the one to its own request."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from harness.core.paths import fixtures_dir
from harness.stack.answers import TEXT, TYPE, Answer, make_body, read_answer

OWN = (b"x-request-id", b"w12")
LENGTH = (b"Content-Length", b"15")
KIND = (b"content-type", TYPE)
StartResponse = Callable[[str, list[tuple[str, str]]], None]


def test_the_apps_answer_to_the_request_is_right() -> None:
    assert read_answer(b"w12", 200, [LENGTH, KIND, OWN], make_body(b"w12")) == Answer(outcome="200", by_app=True)


@pytest.mark.parametrize(
    ("headers", "body", "wrong"),
    [
        ([OWN], b"", "empty"),
        ([OWN], TEXT, "body"),
        ([OWN], TEXT + b" ", "body"),
        ([OWN], TEXT + b" w1", "foreign"),
        ([OWN], TEXT + b" w12w12", "body"),
        ([OWN], b"Internal Server Error", "body"),
        ([(b"X-Request-Id", b"w13")], TEXT + b" w13", "foreign"),
        ([(b"X-Request-Id", b"w13")], TEXT + b" w12", "foreign"),
        ([LENGTH, KIND], TEXT + b" w12", "headers"),
        ([OWN], TEXT + b" w12", "headers"),
        ([OWN, (b"Content-Type", b"text/plain")], TEXT + b" w12", "headers"),
        ([], b"", "empty"),
    ],
)
def test_what_is_wrong_with_an_answer(headers: list[tuple[bytes, bytes]], body: bytes, wrong: str) -> None:
    assert read_answer(b"w12", 200, headers, body).wrong == wrong


@pytest.mark.parametrize("status", [202, 301, 404, 503])
def test_the_apps_text_with_another_status_was_changed_on_its_way(status: int) -> None:
    assert read_answer(b"w12", status, [OWN], make_body(b"w12")) == Answer(outcome=str(status), wrong="status")


@pytest.mark.parametrize(("headers", "by_app"), [([OWN], True), ([LENGTH], False), ([(b"X-Request-Id", b"w1")], False)])
def test_an_error_is_the_apps_where_it_carries_the_id(headers: list[tuple[bytes, bytes]], by_app: bool) -> None:
    assert read_answer(b"w12", 503, headers, b"Oh no") == Answer(outcome="503", by_app=by_app)


def test_wrk_expects_the_same_type() -> None:
    assert f'local TYPE = "{TYPE.decode()}"' in (fixtures_dir() / "load" / "wrk.lua").read_text()


def test_without_an_id_nobody_can_say() -> None:
    assert read_answer(None, 200, [], b"whatever") == Answer(outcome="200")


@pytest.fixture
def noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The noting app, around a bare one of two pieces."""
    (tmp_path / "web.py").write_text(
        "def app(environ, start_response):\n"
        f"    start_response('200 OK', [('Content-Length', '11'), ('Content-Type', '{TYPE.decode()}')])\n"
        "    return [b'Hello ', b'World']\n"
    )
    monkeypatch.syspath_prepend(str(fixtures_dir()))  # noted.py imports asked.py
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("RECYCLE_HARNESS_NOTES", str(tmp_path / "notes.log"))
    spec = spec_from_file_location("noted", fixtures_dir() / "noted.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    for name in ("web", "asked"):
        monkeypatch.delitem(sys.modules, name)
    return module


def call(app: Callable[[dict[str, str], StartResponse], Iterable[bytes]], request_id: str, query: str = "") -> Answer:
    said: list[tuple[bytes, bytes]] = []

    def start_response(_status: str, headers: list[tuple[str, str]]) -> None:
        said.extend((name.encode(), value.encode()) for name, value in headers)

    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "QUERY_STRING": query, "HTTP_X_REQUEST_ID": request_id}
    body = b"".join(app(environ, start_response))
    assert dict(said)[b"Content-Length"] == str(len(body)).encode()
    return read_answer(request_id.encode(), 200, said, body)


def test_the_noting_app_answers_what_is_checked(noted: ModuleType, tmp_path: Path) -> None:
    assert call(noted.app, "p3") == Answer(outcome="200", by_app=True)
    assert call(noted.app, "w120") == Answer(outcome="200", by_app=True)
    assert call(noted.app, "w121", query="a b=\u00e9").outcome == "200"
    lines = [line.split() for line in (tmp_path / "notes.log").read_text().splitlines()]
    assert [line[0] for line in lines] == ["worker", "=p", "p3", "=w", "w120", "=w", "w121"]
    assert [line[2:] for line in lines if line[0] == "=w"] == [["GET", "/?", "0"], ["GET", "/?a%20b=%E9", "0"]]
