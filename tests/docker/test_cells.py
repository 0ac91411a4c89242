"""The same cells on both back ends: the same verdict, from the same kind of record, and nothing left on the engine."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.docker.conftest import harness, leftovers, read_events

if TYPE_CHECKING:
    from docker import DockerClient

LATEST = "27.0.1"
QUICK = ("--profile", "quick")
CELLS = {
    "19.6.0 gthread": ("19.6.0", ()),
    "19.6.0 sync": ("19.6.0", ("--worker", "sync")),
    "19.7.1 gthread": ("19.7.1", ()),
    "latest gthread": (LATEST, ()),
}
FURTHER = ("19.6.0 sync", "19.7.1 gthread")
"""Beside one that holds and one that does not."""

MEANT = {
    "19.6.0 gthread": ("violated", {"socket-deleted", "permanent-outage"}),
    "19.6.0 sync": ("holds", set()),
    "19.7.1 gthread": ("violated", {"failed-responses"}),
    "latest gthread": ("holds", set()),
}


def run(cell: str, backend: str, out: Path) -> dict[str, Any]:
    """One run; once more where the machine was too busy for a verdict, which says nothing of the back end."""
    spec, options = CELLS[cell]
    for _ in range(3):
        done = harness("reproduce", spec, *options, *QUICK, "--backend", backend, "--out", str(out), "--json")
        assert done.stdout, done.stderr
        verdict: dict[str, Any] = json.loads(done.stdout)
        if verdict["verdict"] != "inconclusive":
            break
    return verdict


@pytest.mark.parametrize(
    "cell", [pytest.param(name, marks=pytest.mark.slow if name in FURTHER else []) for name in CELLS]
)
def test_a_cell_has_its_verdict_on_both_back_ends(cell: str, client: DockerClient, tmp_path: Path) -> None:
    outcome, ids = MEANT[cell]
    for backend in ("docker", "local"):
        verdict = run(cell, backend, tmp_path / backend)
        found = {finding["id"] for finding in verdict["findings"]}
        assert (verdict["verdict"], found) == (outcome, ids), verdict["reasons"]
        assert verdict["cell"]["backend"] == backend
    assert leftovers(client) == (0, 0)


def test_the_culprit_is_named_and_judging_again_gives_the_same(client: DockerClient, tmp_path: Path) -> None:
    verdict = run("19.6.0 gthread", "docker", tmp_path)
    culprit = verdict["findings"][0]["culprit"]
    assert (culprit["role"], culprit["call"]) == ("worker", "os.unlink")
    assert [frame.partition(":")[0] for frame in culprit["stack"][-2:]] == [
        "gunicorn/workers/gthread.py",
        "gunicorn/sock.py",
    ]
    again = harness("judge", str(tmp_path / "latest"), "--json")
    assert json.loads(again.stdout) == verdict
    assert not again.stderr


OF_THE_MACHINE = {"stall"}
OF_THE_STOP = {"open-files", "strays", "harness-signalled", "signal-received", "signal-sent", "removal"}
"""What is recorded of an ordered stop: the engine ends all processes of a container with its first, so none is made."""


def test_the_record_is_as_whole_as_a_local_one(client: DockerClient, tmp_path: Path) -> None:
    run("19.6.0 sync", "local", tmp_path / "local")
    run("19.6.0 sync", "docker", tmp_path / "docker")
    local, docker = tmp_path / "local" / "latest", tmp_path / "docker" / "latest"
    assert {path.name for path in (docker / "logs").iterdir()} == {path.name for path in (local / "logs").iterdir()}
    assert {path.name for path in (docker / "config").iterdir()} == {path.name for path in (local / "config").iterdir()}
    theirs, ours = ({event["kind"] for event in read_events(one)} - OF_THE_MACHINE for one in (docker, local))
    assert theirs == ours - OF_THE_STOP
    (skipped,) = (event for event in read_events(docker) if event["kind"] == "stop")
    assert "container" in skipped["reason"]
    stopped = {event["name"] for event in read_events(docker) if event.get("state") == "stopped"}
    assert stopped == {"socket", "logs", "tallies", "workers", "prober"}
    facts = json.loads((docker / "facts.json").read_text())
    assert facts["gunicorn"]["version"] == "19.6.0"
    assert "bottle==0.12.13" in facts["gunicorn"]["freeze"]
    assert facts["python"]["version"].startswith("3.6.")
    assert facts["proxy"]["version"]
    assert facts["load"]["version"]
    assert facts["containers"]["engine"]["ServerVersion"]


@pytest.mark.parametrize("proxy", ["nginx", pytest.param("haproxy", marks=pytest.mark.slow)])
def test_the_deleted_socket_is_seen_behind_every_proxy(proxy: str, client: DockerClient) -> None:
    """And wherever the record lies: a home folder is closed to the users of the containers."""
    options = ("--proxy", proxy, *QUICK, "--backend", "docker", "--json")
    with tempfile.TemporaryDirectory(prefix="recycle-test-", dir=Path.home()) as out:
        verdict = json.loads(harness("reproduce", "19.6.0", *options, "--out", out).stdout)
    assert verdict["findings"][0]["id"] == "socket-deleted", verdict["reasons"]


def test_without_a_proxy_over_tcp(client: DockerClient, tmp_path: Path) -> None:
    options = ("--proxy", "none", "--bind", "tcp", *QUICK)
    done = harness("reproduce", LATEST, *options, "--backend", "docker", "--out", str(tmp_path), "--json")
    verdict = json.loads(done.stdout)
    assert verdict["verdict"] in {"holds", "inconclusive"}, verdict
    assert verdict["counts"]["statuses"].get("200", 0) > 100
