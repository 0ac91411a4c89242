"""Each proxy in front of real releases: what is the release's doing comes out whichever proxy stands in between."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.provision import tools
from harness.stack.programs import recipe_of
from tests.integration.stubs import Ran, find_marked, make_wheel, needs_tools, run_until_decided

pytestmark = needs_tools
MISSING = {
    name: pytest.mark.skipif(tools.find_tool(recipe_of(name)) is None, reason=f"{name} is not here")
    for name in ("nginx", "haproxy", "caddy")
}
OTHERS = [pytest.param(name, marks=mark) for name, mark in MISSING.items()]
ONE_AND_OTHERS = [
    pytest.param(name, marks=[mark] if name == "nginx" else [mark, pytest.mark.slow]) for name, mark in MISSING.items()
]
REPORTED = {"socket-deleted", "permanent-outage"}


def run(tmp_path: Path, spec: str | Path, proxy: str, *options: str) -> Ran:
    out = tmp_path / "runs"
    ran = run_until_decided(out, "reproduce", spec, "--proxy", proxy, "--profile", "quick", *options)
    assert find_marked(out) == [], "something was left running"
    assert counts(ran)["ledger"]["unexplained"] == 0, ran.out + ran.err
    return ran


def counts(ran: Ran) -> dict[str, Any]:
    found: dict[str, Any] = ran.verdict["counts"]
    return found


@pytest.mark.parametrize("proxy", OTHERS)
def test_a_deleted_socket_is_seen_behind_any_proxy(tmp_path: Path, proxy: str) -> None:
    ran = run(tmp_path, "19.6.0", proxy)
    assert ran.findings >= REPORTED, ran.out + ran.err
    assert ran.verdict["cell"]["proxy"] == proxy
    reasons = counts(ran)["proxy_errors"]
    assert reasons["connect" if proxy == "haproxy" else "missing"] > 10
    assert counts(ran)["statuses"]["503" if proxy == "haproxy" else "502"] > 10


@pytest.mark.parametrize("worker", ["gthread", pytest.param("sync", marks=pytest.mark.slow)])
@pytest.mark.parametrize("proxy", ONE_AND_OTHERS)
def test_a_release_that_loses_nothing_holds_behind_any_proxy(tmp_path: Path, proxy: str, worker: str) -> None:
    ran = run(tmp_path, "27.0.1", proxy, "--worker", worker)
    assert ran.verdict["verdict"] == "holds", ran.out + ran.err


@pytest.mark.skipif(
    any(tools.find_tool(recipe_of(name)) is None for name in ("nginx", "haproxy")),
    reason="nginx or haproxy is not here",
)
@pytest.mark.slow
def test_nginx_hides_what_haproxy_shows(tmp_path: Path) -> None:
    hidden = run(tmp_path / "nginx", "19.5.0", "nginx")
    assert not {"502", "504"} & set(counts(hidden)["by_client"]["wrk"]), hidden.out
    assert counts(hidden)["proxy_errors"]["retried"] > 0
    assert "the proxy asked gunicorn again" in hidden.verdict["invariant_reasons"]["requests-answered"]
    shown = run(tmp_path / "haproxy", "19.5.0", "haproxy")
    assert shown.findings == {"failed-responses"}, shown.out + shown.err
    assert counts(shown)["by_client"]["wrk"]["closed"] > 0
    assert "502" not in counts(shown)["statuses"]
    assert "closed" not in counts(shown)["proxy_errors"], "haproxy logs nothing of it"


@pytest.mark.parametrize("proxy", ONE_AND_OTHERS)
def test_connections_that_are_not_kept_are_not_lost(tmp_path: Path, proxy: str) -> None:
    ran = run(tmp_path, "19.5.0", proxy, "--no-upstream-keepalive")
    assert ran.verdict["cell"]["upstream_keepalive"] is False
    assert not counts(ran)["proxy_errors"].get("retried"), ran.out
    assert counts(ran)["by_client"]["wrk"].keys() == {"200"}, ran.out


@pytest.mark.parametrize("proxy", ONE_AND_OTHERS)
def test_a_server_that_fails_on_purpose_fails_behind_any_proxy(tmp_path: Path, proxy: str) -> None:
    wheel = make_wheel(tmp_path, "answers-500-later")
    ran = run(tmp_path, wheel, proxy, "--worker", "sync", "--max-requests", "400", "--duration", "3")
    assert "failed-responses" in ran.findings, ran.out + ran.err
    assert counts(ran)["statuses"]["500"] > 0
