"""The wrapper around a user's own app, as gunicorn's settings load it: what it notes of each request."""

from __future__ import annotations

import asyncio
import importlib.util
import os
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from harness.judge.ledger.changed import Changed, find_changed

FIXTURES = Path(__file__).parents[2] / "fixtures"
Send = Callable[[dict[str, Any]], Awaitable[None]]


@pytest.fixture
def noting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setenv("RECYCLE_HARNESS_NOTES", str(tmp_path / "notes.log"))
    monkeypatch.setenv("RECYCLE_HARNESS_APP_FAULTS", str(tmp_path / "faults.log"))
    spec = importlib.util.spec_from_file_location("noting", FIXTURES / "noting.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def asked_lines(folder: Path) -> list[str]:
    """The lines on what was asked for, without the worker's pid."""
    lines = (folder / "notes.log").read_text().splitlines()
    return [line.replace(f" {os.getpid()} ", " ") for line in lines if line.startswith("=")]


def app(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]


def ask_wsgi(noting: ModuleType, book: object, request_id: str | None, method: str = "GET", **more: str) -> None:
    environ = {"REQUEST_METHOD": method, "PATH_INFO": "/", **more}
    if request_id is not None:
        environ["HTTP_X_REQUEST_ID"] = request_id
    assert list(noting.Wsgi(app, book)(environ, lambda *_: None)) == [b"ok"]


def ask_asgi(
    noting: ModuleType, book: object, request_id: str, *, method: str = "GET", path: str = "/", **more: bytes
) -> None:
    async def application(scope: dict[str, Any], receive: object, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})

    async def send(message: dict[str, Any]) -> None:
        sent.append(message["type"])

    sent: list[str] = []
    headers = [
        (b"x-request-id", request_id.encode()),
        *([(b"content-length", more["length"])] if "length" in more else []),
    ]
    scope = {"type": "http", "method": method, "path": path, "query_string": more.get("query", b""), "headers": headers}
    asyncio.run(noting.wrap_asgi(application, book)(scope, None, send))
    assert sent == ["http.response.start", "http.response.body"]


def test_what_a_wsgi_app_is_asked_for_is_noted_once_and_when_it_changes(noting: ModuleType, tmp_path: Path) -> None:
    book = noting.Book()
    for number in range(3):
        ask_wsgi(noting, book, f"w{number}")
    ask_wsgi(noting, book, "p1", SCRIPT_NAME="/shop", PATH_INFO="/a b", QUERY_STRING="x=1")
    ask_wsgi(noting, book, "w4", "POST", CONTENT_LENGTH="7")
    ask_wsgi(noting, book, "w5")
    ask_wsgi(noting, book, "x1", "PUT")
    ask_wsgi(noting, book, None, "DELETE")
    assert asked_lines(tmp_path) == ["=w GET /? 0", "=p GET /shop/a%20b?x=1 0", "=w POST /? 7", "=w GET /? 0"]


def test_what_an_asgi_app_is_asked_for_is_noted_once_and_when_it_changes(noting: ModuleType, tmp_path: Path) -> None:
    book = noting.Book()
    ask_asgi(noting, book, "w1")
    ask_asgi(noting, book, "w2")
    ask_asgi(noting, book, "w3", path="/other", query=b"x=1")
    ask_asgi(noting, book, "d1", method="POST", path="/ä", length=b"7")
    assert asked_lines(tmp_path) == ["=w GET /? 0", "=w GET /other?x=1 0", "=d POST /%E4? 7"]


def test_the_ledger_reads_what_the_wrapper_wrote(noting: ModuleType, tmp_path: Path) -> None:
    book = noting.Book()
    ask_wsgi(noting, book, "w1")
    assert find_changed(tmp_path / "notes.log", of="w") == []
    ask_wsgi(noting, book, "w2", QUERY_STRING="x=1")
    assert find_changed(tmp_path / "notes.log", of="w") == [
        Changed(asked="GET /? 0", run="GET /?x=1 0", pid=os.getpid())
    ]
