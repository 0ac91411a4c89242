from __future__ import annotations

import os
import pwd

import pytest

from harness.core.errors import UsageError
from harness.core.model import PROXY_ERRORS
from harness.core.paths import fixtures_dir
from harness.stack.proxies import PROXIES, nginx
from harness.stack.proxies.setting import Setting

TEMPLATE = (fixtures_dir() / "proxies" / nginx.TEMPLATE).read_text()
ME = pwd.getpwuid(os.getuid()).pw_name


def render(upstream: str = "unix:/x/g.sock", *, keepalive: bool = True, user: str | None = None) -> str:
    setting = Setting(port=18080, upstream=upstream, folder="/tmp/r/proxy", keepalive=keepalive, user=user)  # noqa: S108
    return nginx.render_config(TEMPLATE, setting)


def error(message: str, *, level: str = "error", upstream: str = 'upstream: "http://unix:/x/g.sock:/", ') -> bytes:
    """A line as nginx 1.22.1 wrote it; only the path of the socket is another one."""
    return (
        f"2026/11/20 21:44:14 [{level}] 3891#3891: *2 {message}, client: 127.0.0.1, server: , "
        f'request: "GET / HTTP/1.1", {upstream}host: "127.0.0.1:28384"\n'
    ).encode()


@pytest.mark.parametrize("upstream", ["unix:/x/g.sock", "127.0.0.1:8000"])
def test_the_configuration(upstream: str) -> None:
    text = render(upstream)
    assert f"    server {upstream};\n" in text
    assert "    listen 127.0.0.1:18080;\n" in text
    assert "proxy_set_header Host $http_host;" in text
    assert "daemon off;" in text
    assert "user " not in text
    assert "\n\n" not in text


def test_nothing_is_written_outside_of_the_folder() -> None:
    lines = [line.split() for line in render().splitlines()]
    written = [line[1] for line in lines if line[0] == "pid" or line[0].endswith("_temp_path")]
    assert len(written) == 6
    assert all(path.startswith("/tmp/r/proxy/") for path in written)  # noqa: S108
    assert {line[0]: line[1] for line in lines if line[0].endswith("_log")} == {
        "error_log": "stderr",
        "access_log": "/dev/stdout",
    }


def test_connections_to_the_upstream_are_kept_or_not() -> None:
    kept, closed = render(), render(keepalive=False)
    assert "keepalive 64;" in kept
    assert "proxy_http_version 1.1;" in kept
    assert 'proxy_set_header Connection "";' in kept
    assert "keepalive" not in closed
    assert "proxy_http_version" not in closed
    assert "Connection" not in closed


def test_a_process_of_its_own_may_get_all_clients() -> None:
    setting = Setting(port=1, upstream="unix:/x/g.sock", folder="/x", connections=5000)
    text = nginx.render_config(TEMPLATE, setting)
    assert "    worker_connections 10512;\n" in text
    assert "worker_rlimit_nofile 21024;\n" in text


def test_root_names_a_user_and_its_group() -> None:
    assert f"\nuser {ME} " in render(user=ME)


def test_the_user_is_one_that_exists() -> None:
    user = nginx.user_when_root()
    assert user is None or pwd.getpwnam(user)


def test_the_prefix_is_the_folder_of_the_configuration() -> None:
    assert nginx.render_command("/usr/sbin/nginx", "/r/nginx.conf") == [
        "/usr/sbin/nginx",
        "-p",
        "/r",
        "-c",
        "/r/nginx.conf",
    ]
    assert nginx.render_command("nginx", "nginx.conf") == ["nginx", "-p", ".", "-c", "nginx.conf"]


def test_answers_are_counted_by_status_and_retries_by_the_attempts() -> None:
    once = b'200 "200" "GET / HTTP/1.1" 0.010\n'
    again = b'200 "502, 200" "GET / HTTP/1.1" 0.083\n'
    twice = b'502 "502, 502, 502" "GET /?a=\\x22, HTTP/1.1" 0.090\n'
    gone = b'499 "502, -" "GET / HTTP/1.1" 0.028\n'
    none = b'499 "-" "GET / HTTP/1.1" 0.041\n'
    chunk = once * 5 + again * 2 + twice + gone + none
    assert nginx.parse_access(chunk) == {"200": 7, "502": 1, "499": 2}
    assert nginx.parse_errors(chunk) == {"retried": 5}


def test_an_answer_that_is_none_counts_as_closed() -> None:
    assert nginx.parse_access(b'009 "200" "GET / HTTP/1.1" 0.000\n') == {"closed": 1}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (
            error(
                "connect() to unix:/x/g.sock failed (2: No such file or directory) while connecting to upstream",
                level="crit",
            ),
            "missing",
        ),
        (
            error("connect() to unix:/x/g.sock failed (111: Connection refused) while connecting to upstream"),
            "refused",
        ),
        (error("connect() failed (111: Connection refused) while connecting to upstream"), "refused"),
        (
            error(
                "connect() to unix:/x/g.sock failed (11: Resource temporarily unavailable) while connecting to upstream"
            ),
            "refused",
        ),
        (
            error(
                "connect() to unix:/x/g.sock failed (13: Permission denied) while connecting to upstream", level="crit"
            ),
            "denied",
        ),
        (
            error("upstream prematurely closed connection while reading response header from upstream"),
            "closed",
        ),
        (error("upstream prematurely closed connection while reading upstream"), "closed"),
        (
            error("recv() failed (104: Connection reset by peer) while reading response header from upstream"),
            "reset",
        ),
        (error("writev() failed (32: Broken pipe) while sending request to upstream"), "closed"),
        (
            error("upstream timed out (110: Connection timed out) while reading response header from upstream"),
            "timeout",
        ),
        (error("no live upstreams while connecting to upstream"), "connect"),
        (error("upstream sent no valid HTTP/1.0 header while reading response header from upstream"), "other"),
    ],
)
def test_every_reason_is_counted(line: bytes, reason: str) -> None:
    assert nginx.parse_errors(line * 3) == {reason: 3}
    assert reason in PROXY_ERRORS


def test_what_else_nginx_says_is_no_failed_attempt() -> None:
    chatter = (
        b'nginx: [alert] could not open error log file: open() "/var/log/e.log" failed (13: Permission denied)\n'
        b"2026/11/20 21:44:15 [alert] 10#10: *3 4096 worker_connections are not enough, client: 127.0.0.1\n"
        b"2026/11/20 21:44:15 [notice] 10#10: signal 15 (SIGTERM) received, exiting\n"
    )
    assert nginx.parse_errors(chatter) == {}
    assert nginx.parse_errors(error("client sent invalid request (2: x)", upstream="")) == {}


def test_what_the_client_sends_is_no_reason() -> None:
    line = error("upstream timed out (110: Connection timed out) while reading response header from upstream")
    assert nginx.parse_errors(line.replace(b"GET /", b"GET /?(2: prematurely closed")) == {"timeout": 1}


def test_the_portable_configuration_names_nothing_of_the_run() -> None:
    text = nginx.render_portable(render(user=ME))
    assert "user " not in text
    assert "listen 127.0.0.1:@PORT@;" in text
    assert "pid @DIR@/nginx.pid;" in text
    assert "/tmp/r" not in text  # noqa: S108
    with pytest.raises(UsageError, match="names no port"):
        nginx.render_portable("events {}\n")


def test_it_is_in_the_table() -> None:
    assert PROXIES["nginx"] is nginx


def test_the_access_log_says_which_request_each_line_is_of() -> None:
    line = b'%d "%s" "GET / HTTP/1.1" 0.003 %s\n'
    chunk = line % (200, b"502, 200", b"w12") + line % (502, b"502", b"d3") + line % (200, b"200", b"-")
    assert nginx.parse_ledger(chunk) == [(b"200", b"w", b"12"), (b"502", b"d", b"3")]
    assert nginx.parse_access(chunk) == {"200": 2, "502": 1}
    assert nginx.parse_errors(chunk) == {"retried": 1}
