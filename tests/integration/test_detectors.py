"""Each detector is shown a server that must make it fail, and one that must not: whole runs on stub servers."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.integration.stubs import Ran, find_marked, make_wheel, needs_tools, run_harness

pytestmark = needs_tools
slow = pytest.mark.slow
waits = pytest.mark.waits
CALLS = {"replaces-socket": "os.rename", "shuts-socket": "os.chmod", "shuts-folder": "os.chmod"}
"""What a server did that loses its path; it is laid to its worker."""
SMALL = ("--workers", "2", "--max-requests", "400", "--recycles", "6", "--connections", "20", "--duration", "3")


def run_stub(tmp_path: Path, behaviour: str, *options: str) -> Ran:
    out = tmp_path / "runs"
    ran = run_harness(out, "reproduce", make_wheel(tmp_path, behaviour), *SMALL, *options)
    assert find_marked(out) == [], "something was left running"
    return ran


@pytest.fixture(scope="module")
def misbehave(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Ran]:
    """Run a stub once, however many tests look at its record."""
    return cache(lambda behaviour: run_stub(tmp_path_factory.mktemp(behaviour), behaviour, "--worker", "sync"))


def test_a_good_server_holds(tmp_path: Path) -> None:
    ran = run_stub(tmp_path, "good", "--worker", "sync")
    assert (ran.code, ran.verdict["verdict"]) == (0, "holds"), ran.out + ran.err
    assert ran.verdict["counts"]["recycles"] >= 6
    assert ran.verdict["strength"]["failure_rate_upper_95"] < 0.5
    assert "Socket file survived" in ran.out


@pytest.mark.parametrize(
    ("behaviour", "finding"),
    [
        ("removed-by-rm", "socket-deleted"),
        ("removed-by-c", "socket-deleted"),
        pytest.param("replaces-socket", "socket-replaced", marks=waits),
        ("binds-anew", "socket-replaced"),
        pytest.param("shuts-socket", "socket-unreachable", marks=waits),
        pytest.param("shuts-folder", "socket-unreachable", marks=slow),
        pytest.param("hangs", "permanent-outage", marks=waits),
        ("arbiter-dies", "permanent-outage"),
        ("answers-500-later", "failed-responses"),
        pytest.param("never-respawns", "workers-not-respawned", marks=waits),
        ("never-recycles", "max-requests-ignored"),
        ("recycles-early", "recycled-early"),
        ("crashes", "worker-crashed"),
        ("killed", "worker-crashed"),
        pytest.param("too-many", "workers-surplus", marks=waits),
        pytest.param("starts-too-few", "workers-not-respawned", marks=slow),
        ("leaves-socket", "socket-left-behind"),
        ("leaves-workers", "processes-left-behind"),
    ],
)
def test_a_misbehaving_server_is_caught(misbehave: Callable[[str], Ran], behaviour: str, finding: str) -> None:
    ran = misbehave(behaviour)
    assert ran.verdict["verdict"] == "violated", ran.out + ran.err
    assert finding in ran.findings, ran.out
    if behaviour not in {"removed-by-rm", "removed-by-c", "binds-anew", "arbiter-dies"}:
        assert "socket-deleted" not in ran.findings
    if behaviour == "hangs":
        by_client = ran.verdict["counts"]["ledger"]["by_client"]
        assert min(by_client[client]["never_answered"] for client in ("load", "probe-direct")) > 0
        assert "never answered (hung)" in ran.out
    if behaviour in CALLS:
        culprit = next(one["culprit"] for one in ran.verdict["findings"] if one["id"] == finding)
        assert (culprit["role"], culprit["call"]) == ("worker", CALLS[behaviour])
        assert culprit["stack"][-1].endswith("leave")


@waits
def test_a_worker_that_never_serves_is_caught(tmp_path: Path) -> None:
    ran = run_stub(tmp_path, "idles", "--worker", "sync", "--full-duration")
    assert "workers-idle" in ran.findings, ran.out + ran.err


def test_rights_that_leave_the_way_open_and_a_command_that_only_looks_are_no_fault(tmp_path: Path) -> None:
    ran = run_stub(tmp_path, "changes-rights-harmlessly", "--worker", "sync")
    assert (ran.code, ran.verdict["verdict"]) == (0, "holds"), ran.out + ran.err


def test_c_code_that_removes_the_file_is_not_seen_and_nobody_is_blamed(misbehave: Callable[[str], Ran]) -> None:
    ran = misbehave("removed-by-c")
    deleted = next(one for one in ran.verdict["findings"] if one["id"] == "socket-deleted")
    assert deleted["culprit"] is None
    assert "not seen by the tracer" in deleted["detail"]
    assert "alive then: arbiter" in deleted["detail"]
    assert "outside" not in deleted["detail"]


def test_a_file_that_a_command_removed_is_laid_to_who_started_it(
    misbehave: Callable[[str], Ran], tmp_path: Path
) -> None:
    ran = misbehave("removed-by-rm")
    deleted = next(one for one in ran.verdict["findings"] if one["id"] == "socket-deleted")
    assert "not seen by the tracer" in deleted["detail"]
    assert "outside" not in deleted["detail"]
    assert (deleted["culprit"]["role"], deleted["culprit"]["call"]) == ("worker", "subprocess.Popen")
    without = run_stub(tmp_path, "removed-by-rm", "--worker", "sync", "--no-trace")
    detail = next(one["detail"] for one in without.verdict["findings"] if one["id"] == "socket-deleted")
    assert "tracer was off" in detail


@pytest.mark.parametrize(
    ("behaviour", "code", "verdict", "words"),
    [
        ("dies-at-start", 5, "unrunnable", "this release does not start here"),
        ("workers-die", 5, "unrunnable", "keep dying"),
        ("needs-a-module", 4, "error", "module_that_nobody_has"),
    ],
)
def test_a_server_that_does_not_start_is_never_a_violation(
    tmp_path: Path, behaviour: str, code: int, verdict: str, words: str
) -> None:
    ran = run_stub(tmp_path, behaviour, "--worker", "sync")
    assert (ran.code, ran.verdict.get("verdict")) == (code, verdict), ran.out + ran.err
    assert words in ran.verdict["error"]["what"]
    assert ran.verdict["timing_s"]["total"] < 15


@pytest.mark.parametrize(
    "way",
    [
        (),
        pytest.param(("--proxy", "none", "--bind", "unix"), marks=slow),
        pytest.param(("--proxy", "none", "--bind", "tcp"), marks=slow),
    ],
)
def test_with_the_load_on_httpx_a_good_server_holds(tmp_path: Path, way: tuple[str, ...]) -> None:
    ran = run_stub(tmp_path, "good", "--worker", "sync", "--load", "httpx", "--max-requests", "100", *way)
    assert (ran.code, ran.verdict["verdict"], ran.verdict["cell"]["load"]) == (0, "holds", "httpx"), ran.out + ran.err
    assert ran.verdict["counts"]["recycles"] >= 6


@pytest.mark.parametrize(
    ("behaviour", "finding"),
    [
        ("removed-by-rm", "socket-deleted"),
        pytest.param("hangs", "permanent-outage", marks=slow),
        ("answers-500-later", "failed-responses"),
        pytest.param("never-recycles", "max-requests-ignored", marks=slow),
        ("killed", "worker-crashed"),
    ],
)
def test_with_the_load_on_httpx_a_misbehaving_server_is_caught(tmp_path: Path, behaviour: str, finding: str) -> None:
    ran = run_stub(tmp_path, behaviour, "--worker", "sync", "--load", "httpx")
    assert ran.verdict["verdict"] == "violated", ran.out + ran.err
    assert finding in ran.findings, ran.out


@waits
def test_a_server_that_hangs_has_its_requests_counted_as_hung(tmp_path: Path) -> None:
    ran = run_stub(tmp_path, "hangs", "--worker", "sync", "--load", "httpx", "--rate", "300")
    counts = ran.verdict["counts"]
    hung = counts["ledger"]["by_client"]["load"]["never_answered"]
    assert counts["by_client"]["httpx"]["timeout"] == hung == 20, "each connection waits for an answer at the end"
    assert counts["latency_ms"]["max"] > 2_000
    assert counts["open_loop"]["unstarted"] > 0
    assert counts["requests"] == sum(counts["statuses"].values()) + sum(counts["client_errors"].values())
