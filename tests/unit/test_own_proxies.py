"""A user's own proxy configuration: what a run keeps of it, what it replaces, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.core.errors import UsageError
from harness.core.model import Cell
from harness.engine.cell_rules import find_contradiction
from harness.engine.own_proxy import name_proxy
from harness.engine.preparation import prepare_run
from harness.engine.request import RunRequest
from harness.stack.own_proxies import ADAPTERS, guess_proxy
from harness.stack.own_proxies.changes import Adapted
from harness.stack.proxies import PROXIES
from harness.stack.proxies.setting import Setting

SAMPLES = Path(__file__).parents[1] / "regression" / "own_proxies"
UNIX = Setting(port=4321, upstream="unix:/run-of-ours/g.sock", folder="/run-of-ours/proxy")
TCP = Setting(port=4321, upstream="127.0.0.1:8765", folder="/run-of-ours/proxy")


def adapt(proxy: str, text: str, setting: Setting = UNIX, **files: str) -> Adapted:
    included = {name.replace("_", "."): content for name, content in files.items()}

    def read(pattern: str) -> list[tuple[str, str]]:
        return [(name, text) for name, text in included.items() if name == pattern]

    return ADAPTERS[proxy].adapt(text, "theirs", setting, read)


def sample(proxy: str, setting: Setting = UNIX) -> Adapted:
    name = {"nginx": "nginx.conf", "haproxy": "haproxy.cfg", "h2o": "h2o.conf", "caddy": "caddy.json"}[proxy]
    return adapt(proxy, (SAMPLES / name).read_text(), setting, mime_types="types { text/html html; }")


def test_what_reads_a_users_configuration_belongs_to_a_proxy() -> None:
    assert set(ADAPTERS) <= {name for name, module in PROXIES.items() if module is not None}


@pytest.mark.parametrize("proxy", ADAPTERS)
@pytest.mark.parametrize("setting", [UNIX, TCP], ids=["unix", "tcp"])
def test_a_real_configuration_names_nothing_outside_the_run(proxy: str, setting: Setting) -> None:
    text = sample(proxy, setting).text
    for outside in (
        "/var/log",
        "/run/gunicorn",
        "/run/h2o",
        "/run/nginx",
        "/run/haproxy",
        "10.0.0.",
        "/etc/ssl",
        ":80",
    ):
        assert outside not in text, text
    for listens in (
        " :443",
        '":443"',
        " 443",
        "port: 443",
        "8404",
        "deploy",
        "/var/lib",
        "/dev/log",
        "request_id;",
        "uuid",
    ):
        assert listens not in text, text
    assert "4321" in text
    assert setting.upstream.removeprefix("unix:") in text


@pytest.mark.parametrize(
    ("proxy", "kept"),
    [
        (
            "nginx",
            ["keepalive 32;", "keepalive_timeout 5;", "proxy_next_upstream error timeout;", "worker_processes 2;"],
        ),
        ("haproxy", ["retries 2", "option httpchk GET /", "http-reuse safe", "maxconn 4000", "check maxconn 400"]),
        ("h2o", ["max-connections: 2048", "proxy.timeout.io: 20000", "file.dir: /srv/shop/static"]),
        ("caddy", ['"try_duration": 2000000000', '"read_timeout": 60000000000', '"encodings"', '"/static/*"']),
    ],
)
def test_what_makes_the_proxy_theirs_is_kept(proxy: str, kept: list[str]) -> None:
    adapted = sample(proxy)
    for line in kept:
        assert line in adapted.text
        assert line in adapted.before
    assert all(one.why for one in adapted.changes)
    assert any(one.why == "the run's own gunicorn" for one in adapted.changes)


def test_each_change_is_told_with_its_line_and_shown_in_the_diff() -> None:
    adapted = sample("nginx")
    told = {(one.place, one.yours, one.run_with): one.why for one in adapted.changes}
    assert told["theirs, line 30", "server 10.0.0.7:8000 backup;", ""] == "the run has one gunicorn"
    assert told["theirs, line 41", "listen 443 ssl http2 default_server;", "listen 127.0.0.1:4321 default_server;"]
    diff = adapted.render_diff()
    assert "-        server unix:/run/gunicorn.sock fail_timeout=0;" in diff
    assert "+        server unix:/run-of-ours/g.sock fail_timeout=0;" in diff


SITE = "server { listen 80; location / { %s proxy_pass http://127.0.0.1:8000; } }"
FRONT = "defaults\n mode http\nfrontend f\n bind :80\n default_backend b\n %s\nbackend b\n server s 127.0.0.1:8000 %s\n"
HOST = 'hosts:\n  "x":\n    paths:\n      "/":\n        proxy.reverse.url: http://127.0.0.1:8000/\n        %s\n'


def caddy_json(*handlers: object) -> str:
    return json.dumps({"apps": {"http": {"servers": {"a": {"routes": [{"handle": handlers}]}}}}})


@pytest.mark.parametrize(
    ("proxy", "text"),
    [
        ("nginx", SITE % "content_by_lua_file /x.lua;"),
        ("nginx", SITE % "fastcgi_pass unix:/x;"),
        ("nginx", SITE % "dav_methods PUT;"),
        ("nginx", SITE % "perl x;"),
        ("nginx", SITE % "include missing.conf;"),
        ("nginx", "stream { server { listen 80; proxy_pass x; } }"),
        ("nginx", "server { location / { proxy_pass http://$where; } }"),
        ("nginx", "server { location / { proxy_pass http://a$where; } } upstream a { server b; }"),
        ("nginx", "server { listen 80; root /srv; }"),
        ("nginx", SITE % "} } }"),
        ("nginx", SITE % '"un'),
        ("haproxy", FRONT % ("http-request lua.x", "")),
        ("haproxy", FRONT % ("http-request set-dst hdr(x)", "")),
        ("haproxy", FRONT % ("filter spoe engine x config /x", "")),
        ("haproxy", FRONT % ('"stats" socket /x', "")),
        ("haproxy", FRONT % ("option external-check", "")),
        ("haproxy", FRONT % ("", "someparameter /x")),
        ("haproxy", "global\n lua-load /x\n" + FRONT % ("", "")),
        ("haproxy", FRONT % ("mode tcp", "")),
        ("haproxy", (FRONT % ("", "")).replace("mode http", "retries 1")),
        ("haproxy", FRONT % ("", "") + "frontend g\n bind :81\n default_backend b\n"),
        ("haproxy", "frontend f\n bind :80\n"),
        ("h2o", HOST % "mruby.handler: x"),
        ("h2o", HOST % "fastcgi.connect: x"),
        ("h2o", HOST % "file.custom-handler: x"),
        ("h2o", HOST % "setenv: !file /x"),
        ("h2o", HOST % "setenv: &a {access-log: /x}" + "        <<: *a\n"),
        ("h2o", "hosts:\n  x:\n    paths:\n      /:\n        file.dir: /srv\n"),
        ("h2o", "a: 1\n"),
        ("caddy", '{"apps": {"http": {"servers": {}}}}'),
        ("caddy", "[]"),
        ("caddy", caddy_json({"handler": "exec"}, {"handler": "reverse_proxy"})),
        ("caddy", caddy_json({"handler": "reverse_proxy", "transport": {"protocol": "fastcgi"}})),
        ("caddy", caddy_json({"handler": "reverse_proxy", "dynamic_upstreams": {}})),
    ],
)
def test_what_can_not_be_honoured_is_refused(proxy: str, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        adapt(proxy, text)
    assert "--proxy-config" in caught.value.what
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("proxy", "text"),
    [
        ("nginx", SITE % '"access_log" /outside/a; error_log syslog:server=10.0.0.1 ; proxy_store /outside;'),
        ("nginx", SITE % "client_body_temp_path /outside; # proxy_pass http://10.0.0.1;\n"),
        ("haproxy", "global\n log 10.0.0.1 local0\n stats socket /outside\n" + FRONT % ("log /outside local0", "")),
        ("haproxy", FRONT % ("capture cookie x len 9 ; /outside", "source 10.0.0.1 addr 10.0.0.2 port 9")),
        ("h2o", HOST % "access-log: /outside\n        error-log: /outside"),
        ("h2o", '"acc\\x65ss-log": /outside\n' + HOST % "reproxy: ON\n        proxy.reverse.backends: [10.0.0.1]"),
    ],
)
def test_what_writes_or_asks_elsewhere_is_left_out(proxy: str, text: str) -> None:
    adapted = adapt(proxy, text).text
    assert "outside" not in adapted
    assert "10.0.0." not in adapted


def test_included_files_are_examined_too() -> None:
    text = "http { include sites.conf; }"
    adapted = adapt("nginx", text, sites_conf=SITE % "access_log /outside/c;")
    assert "outside" not in adapted.text
    assert "sites.conf, line 1" in {one.place for one in adapted.changes}
    with pytest.raises(UsageError, match="include one another"):
        adapt("nginx", text, sites_conf="include sites.conf;")


def test_words_are_what_nginx_takes_them_for() -> None:
    inside = r"""location ~ "^/x{2}\.y" { add_header A 'it"s; {'; set $a "${b}c"; proxy_pass http://1.2.3.4/p/; }"""
    text = f"server {{ {inside} }}"
    written = adapt("nginx", text).text
    assert r'location ~ "^/x{2}\\.y" {' in written
    assert r'add_header A "it\"s; {";' in written
    assert 'set $a "${b}c";' in written
    assert "proxy_pass http://unix:/run-of-ours/g.sock:/p/;" in written
    assert adapt("nginx", written.replace("unix:/run-of-ours", "unix:/x")).text == written
    assert "proxy_pass http://127.0.0.1:8765/p/;" in adapt("nginx", text, TCP).text


def test_the_proxy_is_told_by_the_file(tmp_path: Path) -> None:
    for name, proxy in (
        ("nginx.conf", "nginx"),
        ("haproxy.cfg", "haproxy"),
        ("h2o.conf", "h2o"),
        ("Caddyfile", "caddy"),
    ):
        assert name_proxy(str(SAMPLES / name)) == proxy
        assert guess_proxy("mine", (SAMPLES / name).read_text()) == proxy
    assert guess_proxy("mine", "nothing of it\n") is None
    with pytest.raises(UsageError, match="there is no such file"):
        name_proxy(str(tmp_path / "none"))


def test_what_contradicts_it_is_refused(tmp_path: Path) -> None:
    alone = find_contradiction(Cell(spec="1", proxy="none", bind="tcp", proxy_config="x"))
    assert alone is not None
    assert "--proxy-config x can't be had with --proxy none" in alone.what
    assert "h2o" in str(alone.remedy)
    kept = find_contradiction(Cell(spec="1", upstream_keepalive=False, proxy_config="x"))
    assert kept is not None
    assert "--no-upstream-keepalive" in kept.what
    contained = find_contradiction(Cell(spec="1", backend="docker", proxy_config="x"))
    assert contained is not None
    assert "container" in contained.what
    request = RunRequest(cell=Cell(spec="1", proxy_config=str(tmp_path / "x")), out=tmp_path)
    with pytest.raises(UsageError, match="there is no such file"):
        prepare_run(request, None, lambda _: None)
