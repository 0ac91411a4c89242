from __future__ import annotations

import json

import pytest

from harness.core.errors import UsageError
from harness.core.model import PROXY_ERRORS
from harness.core.paths import fixtures_dir
from harness.stack.proxies import PROXIES, caddy
from harness.stack.proxies.setting import Setting

TEMPLATE = (fixtures_dir() / "proxies" / caddy.TEMPLATE).read_text()
REQUEST = {"remote_ip": "127.0.0.1", "proto": "HTTP/1.1", "method": "GET", "host": "127.0.0.1:27152", "uri": "/"}


def render(upstream: str = "unix:/x/g.sock", *, keepalive: bool = True) -> str:
    return caddy.render_config(TEMPLATE, Setting(port=18080, upstream=upstream, folder="/x", keepalive=keepalive))


def line(**fields: object) -> bytes:
    """A line as caddy 2.6.2 writes it: JSON without spaces, the fields in this order."""
    return json.dumps({"level": "error", "ts": 1795213173.0105376, **fields}, separators=(",", ":")).encode() + b"\n"


def answer(status: int, uri: str = "/", **headers: list[str]) -> bytes:
    request = {**REQUEST, "uri": uri, "headers": {name.replace("_", "-"): value for name, value in headers.items()}}
    said = {"msg": "handled request", "request": request, "user_id": "", "duration": 0.01, "size": 0}
    return line(logger="http.log.access.log0", **said, status=status, resp_headers={"Server": ["Caddy"]})


def failure(message: str) -> bytes:
    return line(
        logger="http.log.error.log0", msg=message, request=REQUEST, duration=0.01, status=502, err_id="4250vc3j0"
    )


@pytest.mark.parametrize(
    ("upstream", "address"), [("unix:/x/unix:/g.sock", "unix//x/unix:/g.sock"), ("127.0.0.1:8000", "127.0.0.1:8000")]
)
def test_the_configuration(upstream: str, address: str) -> None:
    text = render(upstream)
    assert f"\treverse_proxy {address} {{\n" in text
    assert "\nhttp://:18080 {\n\tbind 127.0.0.1\n" in text
    assert "\tadmin off\n" in text
    assert "$" not in text


def test_connections_to_the_upstream_are_kept_or_not() -> None:
    assert "\tkeepalive 2m\n" in render()
    assert "\tkeepalive off\n" in render(keepalive=False)


def test_the_command_stays_in_the_foreground() -> None:
    assert caddy.render_command("/usr/bin/caddy", "/r/Caddyfile")[:2] == ["/usr/bin/caddy", "run"]
    assert caddy.user_when_root() is None


def test_answers_are_counted_by_status() -> None:
    chunk = answer(200) * 3 + answer(502) + answer(0) + answer(200, uri='/?"status":500,"resp_headers"')
    assert caddy.parse_access(chunk) == {"200": 4, "502": 1}
    assert caddy.parse_errors(chunk) == {}


def test_a_request_is_told_by_its_id() -> None:
    mimic = 'a"X-Request-Id":["p9"]'
    chunk = answer(502, X_Request_Id=["w12"], User_Agent=[mimic]) + answer(200, uri=mimic) + answer(200) + answer(0)
    assert caddy.parse_ledger(chunk + answer(200, X_Request_Id=["d3"])) == [(b"502", b"w", b"12"), (b"200", b"d", b"3")]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("dial unix /x/g.sock: connect: no such file or directory", "missing"),
        ("dial unix /x/g.sock: connect: connection refused", "refused"),
        ("dial unix /x/g.sock: connect: resource temporarily unavailable", "refused"),
        ("dial unix /x/g.sock: connect: permission denied", "denied"),
        ("dial tcp 127.0.0.1:1: i/o timeout", "connect"),
        ("EOF", "closed"),
        ("write unix @->/x/g.sock: write: broken pipe", "closed"),
        ("read unix @->/x/g.sock: read: connection reset by peer", "reset"),
        ("net/http: timeout awaiting response headers", "timeout"),
        ('net/http: HTTP/1.x transport connection broken: malformed HTTP status code "rubbish"', "other"),
    ],
)
def test_every_reason_is_counted(message: str, reason: str) -> None:
    assert caddy.parse_errors(failure(message) * 3) == {reason: 3}
    assert reason in PROXY_ERRORS


def test_an_answer_that_was_cut_short_counts_once() -> None:
    reading = line(logger="http.handlers.reverse_proxy", msg="reading from backend", error="unexpected EOF")
    said = {"logger": "http.handlers.reverse_proxy", "msg": "aborting with incomplete response"}
    assert caddy.parse_errors(reading + line(**said, error="unexpected EOF")) == {"closed": 1}
    assert caddy.parse_errors(line(**said, error="context canceled")) == {}, "that was the client's doing"


def test_what_else_caddy_says_is_no_failed_request() -> None:
    chatter = (
        line(msg="using provided configuration", config_file="/r/Caddyfile", config_adapter="caddyfile")
        + line(logger="admin", msg="admin endpoint disabled")
        + failure("context canceled")
        + b"Error: adapting config using caddyfile: /r/Caddyfile:3: unrecognized global option: x\n"
    )
    assert caddy.parse_errors(chatter) == {}
    assert caddy.parse_access(chatter) == {}


def test_the_portable_configuration_names_nothing_of_the_run() -> None:
    assert "\nhttp://:@PORT@ {\n" in caddy.render_portable(render())
    with pytest.raises(UsageError, match="names no port"):
        caddy.render_portable("{\n}\n")


def test_it_is_in_the_table() -> None:
    assert PROXIES["caddy"] is caddy
