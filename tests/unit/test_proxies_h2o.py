from __future__ import annotations

import pytest

from harness.core.paths import fixtures_dir
from harness.stack.proxies import PROXIES, h2o
from harness.stack.proxies.setting import Setting

TEMPLATE = (fixtures_dir() / "proxies" / h2o.TEMPLATE).read_text()


@pytest.mark.parametrize(
    ("upstream", "url"),
    [("unix:/x/g.sock", "http://[unix:/x/g.sock]/"), ("127.0.0.1:8000", "http://127.0.0.1:8000/")],
)
def test_the_configuration(upstream: str, url: str) -> None:
    text = h2o.render_config(TEMPLATE, Setting(port=18080, upstream=upstream, folder="/x"))
    assert f"proxy.reverse.url: {url}\n" in text
    assert "port: 18080\n" in text
    assert "host: 127.0.0.1\n" in text
    assert "proxy.preserve-host: ON\n" in text
    assert "proxy.timeout.keepalive: 2000\n" in text
    assert "$" not in text


def test_connections_to_the_upstream_are_not_kept() -> None:
    setting = Setting(port=1, upstream="unix:/x/g.sock", folder="/x", keepalive=False)
    assert "proxy.timeout.keepalive: 0\n" in h2o.render_config(TEMPLATE, setting)


@pytest.mark.parametrize(("clients", "room"), [(200, 1024), (2000, 2512)])
def test_there_is_room_for_all_clients(clients: int, room: int) -> None:
    setting = Setting(port=1, upstream="unix:/x/g.sock", folder="/x", connections=clients)
    assert f"max-connections: {room}\n" in h2o.render_config(TEMPLATE, setting)


def test_the_command_stays_in_the_foreground() -> None:
    assert h2o.render_command("/usr/bin/h2o", "/r/h2o.conf") == ["/usr/bin/h2o", "-c", "/r/h2o.conf"]


def test_answers_are_counted_by_status() -> None:
    line = b'127.0.0.1 - - [20/Nov/2026:19:02:04 +0000] "GET / HTTP/1.1" %d 11 "-" "agent 200 \\" 418 "\n'
    assert h2o.parse_access(line % 200 * 2 + line % 502) == {"200": 2, "502": 1}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("failed to connect to host", "connect"),
        ("connection failed", "connect"),
        ("connection timeout", "connect"),
        ("I/O error (head)", "closed"),
        ("I/O error (body; content-length)", "closed"),
        ("I/O error (send request)", "closed"),
        ("I/O timeout", "timeout"),
        ("failed to parse the response", "other"),
        ("failed to parse the response (chunked)", "other"),
        ("something new", "other"),
    ],
)
def test_every_reason_that_h2o_gives_is_counted(text: str, reason: str) -> None:
    line = f"[lib/core/proxy.c] in request:/a:b?time=connect:{text}\n".encode()
    assert h2o.parse_errors(line * 3) == {reason: 3}


def test_what_else_h2o_says_is_no_failed_request() -> None:
    chatter = (
        b"[INFO] raised RLIMIT_NOFILE to 20000\n"
        b"h2o server (pid:12281) is ready to serve requests\n"
        b"[WARN] detected close by upstream before the expected timeout (see issue #679)\n"
    )
    assert h2o.parse_errors(chatter) == {}


def test_it_is_in_the_table_and_none_means_none() -> None:
    assert PROXIES["h2o"] is h2o
    assert PROXIES["none"] is None
    assert h2o.user_when_root() == "nobody"


def test_the_access_log_says_which_request_each_line_is_of() -> None:
    line = b'127.0.0.1 - - [20/Nov/2026:19:02:04 +0000] "GET / HTTP/1.1" %d 11 "-" "agent w9" %s\n'
    chunk = line % (200, b"w12") + line % (502, b"p3") + line % (200, b"-")
    assert h2o.parse_ledger(chunk) == [(b"200", b"w", b"12"), (b"502", b"p", b"3")]
    assert h2o.parse_access(chunk) == {"200": 2, "502": 1}
