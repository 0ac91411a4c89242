from __future__ import annotations

import os
import pwd

import pytest

from harness.core.errors import SurroundingsError, UsageError
from harness.core.model import PROXY_ERRORS
from harness.core.paths import fixtures_dir
from harness.stack.proxies import PROXIES, haproxy
from harness.stack.proxies.setting import Setting

TEMPLATE = (fixtures_dir() / "proxies" / haproxy.TEMPLATE).read_text()
ME = pwd.getpwuid(os.getuid()).pw_name


def render(upstream: str = "unix:/x/g.sock", *, keepalive: bool = True, user: str | None = None) -> str:
    return haproxy.render_config(
        TEMPLATE, Setting(port=18080, upstream=upstream, folder="/x", keepalive=keepalive, user=user)
    )


@pytest.mark.parametrize(
    ("upstream", "address"), [("unix:/x/unix:/g.sock", "unix@/x/unix:/g.sock"), ("127.0.0.1:8000", "127.0.0.1:8000")]
)
def test_the_configuration(upstream: str, address: str) -> None:
    text = render(upstream)
    assert f"    server gunicorn {address}\n" in text
    assert "    bind 127.0.0.1:18080\n" in text
    assert "    log stdout format raw local0\n" in text
    assert "    user " not in text
    assert "$" not in text


def test_a_path_that_haproxy_refuses_is_named() -> None:
    fits = f"unix:/{'x' * (haproxy.LONGEST_PATH - 1)}"
    assert f"server gunicorn {fits.replace(':', '@')}\n" in render(fits)
    with pytest.raises(SurroundingsError, match=r"longer than the 97 bytes that haproxy allows"):
        render(f"{fits}x")


def test_connections_to_the_upstream_are_kept_or_not() -> None:
    assert "option http-keep-alive\n" in render()
    assert "option http-server-close\n" in render(keepalive=False)


def test_root_names_a_user_and_its_group() -> None:
    assert f"    user {ME}\n    group " in render(user=ME)


def test_the_user_is_one_that_exists() -> None:
    user = haproxy.user_when_root()
    assert user is None or pwd.getpwnam(user)


def test_the_command_stays_in_the_foreground() -> None:
    assert haproxy.render_command("/usr/sbin/haproxy", "/r/h.cfg") == ["/usr/sbin/haproxy", "-db", "-f", "/r/h.cfg"]


def test_answers_are_counted_by_status() -> None:
    chunk = b'200 -- 0 "GET / HTTP/1.1" 3\n' * 3 + b'503 SC 3 "GET / HTTP/1.1" 0\n' + b'-1 SH 0 "GET / HTTP/1.1" 3\n'
    assert haproxy.parse_access(chunk) == {"200": 3, "503": 1, "closed": 1}


@pytest.mark.parametrize(
    ("line", "reasons"),
    [
        ('503 SC 3 "GET / HTTP/1.1" 0\n', {"connect": 2, "retried": 6}),
        ('503 SC +3 "GET / HTTP/1.1" 0\n', {"connect": 2, "retried": 6}),
        ('502 SH 0 "GET / HTTP/1.1" 0\n', {"closed": 2}),
        ('200 SD 0 "GET / HTTP/1.1" 0\n', {"closed": 2}),
        ('504 sH 0 "GET / HTTP/1.1" 1000\n', {"timeout": 2}),
        ('503 sC 3 "GET / HTTP/1.1" 5000\n', {"timeout": 2, "retried": 6}),
        ('502 PH 0 "GET / HTTP/1.1" 0\n', {"other": 2}),
        ('200 -- 1 "GET / HTTP/1.1" 2\n', {"retried": 2}),
        ('200 -- 0 "GET / HTTP/1.1" 2\n', {}),
        ('200 -- 0 "GET /503 SC 3 HTTP/1.1" 2\n', {}),
        ('400 CR 0 "<BADREQ>" 0\n', {}),
        ('200 CD 0 "GET / HTTP/1.1" 2\n', {}),
    ],
)
def test_every_reason_is_counted(line: str, reasons: dict[str, int]) -> None:
    assert haproxy.parse_errors(line.encode() * 2) == reasons
    assert set(reasons) <= set(PROXY_ERRORS)


def test_what_else_haproxy_says_is_no_failed_request() -> None:
    chatter = (
        b"[NOTICE]   (3891) : haproxy version is 2.6.12-1+deb12u4\n"
        b"[ALERT]    (3891) : Starting frontend clients: cannot bind socket (Address already in use)\n"
        b"Connect() failed for backend gunicorn: can't connect to destination unix socket, check backlog size\n"
    )
    assert haproxy.parse_errors(chatter) == {}
    assert haproxy.parse_access(chatter) == {}


def test_the_portable_configuration_names_nothing_of_the_run() -> None:
    text = haproxy.render_portable(render(user=ME))
    assert "user " not in text
    assert "group " not in text
    assert "bind 127.0.0.1:@PORT@\n" in text
    with pytest.raises(UsageError, match="names no port"):
        haproxy.render_portable("global\n")


def test_it_is_in_the_table() -> None:
    assert PROXIES["haproxy"] is haproxy


def test_the_access_log_says_which_request_each_line_is_of() -> None:
    line = b'%d %s 0 "GET / HTTP/1.1" 3 %s\n'
    chunk = line % (200, b"--", b"w12") + line % (-1, b"SD", b"p3") + line % (200, b"--", b"-")
    assert haproxy.parse_ledger(chunk) == [(b"200", b"w", b"12"), (b"-1", b"p", b"3")]
    assert haproxy.parse_access(chunk) == {"200": 2, "closed": 1}
