"""Runs behind a user's own proxy configuration: the four real ones in ``own_proxies``, as people have them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.provision import tools
from harness.stack.programs import recipe_of
from tests.integration.stubs import find_marked, needs_tools, run_harness, run_until_decided

pytestmark = needs_tools
SAMPLES = Path(__file__).parent / "own_proxies"
SLOW = pytest.mark.slow


def is_here(name: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(tools.find_tool(recipe_of(name)) is None, reason=f"{name} is not here")


@pytest.mark.parametrize(
    ("proxy", "name"),
    [
        pytest.param("nginx", "nginx.conf", marks=is_here("nginx")),
        pytest.param("haproxy", "haproxy.cfg", marks=[is_here("haproxy"), SLOW]),
        pytest.param("h2o", "h2o.conf", marks=SLOW),
        pytest.param("caddy", "Caddyfile", marks=[is_here("caddy"), SLOW]),
    ],
)
def test_the_deleted_socket_is_seen_behind_their_own_configuration(tmp_path: Path, proxy: str, name: str) -> None:
    out = tmp_path / "runs"
    ran = run_until_decided(out, "reproduce", "19.6.0", "--proxy-config", SAMPLES / name, "--profile", "quick")
    assert ran.findings >= {"socket-deleted", "permanent-outage"}, ran.out + ran.err
    assert ran.verdict["cell"]["proxy"] == proxy
    assert ran.verdict["counts"]["ledger"]["unexplained"] == 0
    assert find_marked(out) == [], "something was left running"
    (run,) = (path for path in out.iterdir() if not path.is_symlink())
    facts = json.loads((run / "facts.json").read_text())
    changes = facts["proxy"]["own"]["changes"]
    assert any(one["why"] == "the run's own gunicorn" and one["run_with"] for one in changes)
    diff = (run / "config" / "proxy-config.diff").read_text()
    assert any(line.startswith("-") and "/run/gunicorn.sock" in line for line in diff.splitlines())
    for report in ("report.md", "report.html"):
        page = (run / report).read_text()
        assert "proxy-config.diff" in page
        assert "Your own proxy configuration" in page
    script = (run / "reproduce.sh").read_text()
    assert "@PORT@" in script
    assert str(facts["proxy"]["port"]) not in script


@is_here("nginx")
@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("server { location / { proxy_pass http://a; proxy_buffers none; } }", "nginx itself refuses it"),
        ("server { location / { proxy_pass http://a; lua_code_cache off; } }", "line 1: `lua_code_cache off;`"),
    ],
)
def test_what_can_not_be_run_is_refused_before_anything_is_started(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "nginx.conf").write_text(text)
    ran = run_harness(tmp_path / "runs", "reproduce", "19.6.0", "--proxy-config", tmp_path / "nginx.conf")
    assert ran.code == 2, ran.out
    assert why in ran.err
    assert not (tmp_path / "runs").exists()
