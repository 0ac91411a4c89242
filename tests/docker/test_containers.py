"""What a run's containers are allowed, what ends them, and what images cost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.backends.docker import connection
from harness.backends.docker.pod import MEMORY_BYTES
from tests.docker.conftest import RUN_S, harness, leftovers, list_containers, start

if TYPE_CHECKING:
    from docker import DockerClient

ALL_FOUR = 4
UNTIL_S = 60.0


@contextmanager
def running(
    client: DockerClient, out: Path, *more: str, cache: str | None = None
) -> Iterator[tuple[subprocess.Popen[str], list[Any]]]:
    """A run under full load, and its four containers as the engine describes them."""
    more = ("--full-duration", "--out", str(out), *more)
    process = start(
        "reproduce", "27.0.1", "--backend", "docker", *more, **({"RECYCLE_HARNESS_CACHE": cache} if cache else {})
    )
    try:
        yield process, await_containers(client, process)
    finally:
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=RUN_S)


def await_containers(client: DockerClient, process: subprocess.Popen[str]) -> list[Any]:
    deadline = time.monotonic() + RUN_S
    while time.monotonic() < deadline and process.poll() is None:
        found = list_containers(client)
        if len(found) == ALL_FOUR:
            return [client.api.inspect_container(one["Id"]) for one in found]
        time.sleep(0.05)
    raise AssertionError(f"the run never had its four containers; it ended with {process.poll()}")


def await_none_running(client: DockerClient) -> None:
    deadline = time.monotonic() + UNTIL_S
    while list_containers(client):
        assert time.monotonic() < deadline, "containers outlive their harness"
        time.sleep(0.1)


def test_containers_may_do_next_to_nothing_and_ctrl_c_removes_them(client: DockerClient, tmp_path: Path) -> None:
    with running(client, tmp_path) as (process, containers):
        os.kill(process.pid, signal.SIGINT)
        output, _ = process.communicate(timeout=RUN_S)
    assert process.returncode == 130, output
    assert leftovers(client) == (0, 0)
    assert json.loads((tmp_path / "latest" / "verdict.json").read_text())["verdict"] == "inconclusive"
    kinds = [one["Config"]["Labels"][connection.IMAGE_LABEL] for one in containers]
    assert sorted(kinds) == ["gunicorn", "h2o", "wrk", "wrk"]
    for one in containers:
        host = one["HostConfig"]
        assert host["ReadonlyRootfs"]
        assert host["CapDrop"] == ["ALL"]
        assert not host["CapAdd"]
        assert not host["Privileged"]
        assert "no-new-privileges" in " ".join(host["SecurityOpt"])
        assert host["Memory"] in MEMORY_BYTES.values()
        assert host["PidsLimit"] > 0
        assert not host["PortBindings"]
        assert not host["Binds"]
        assert {mount["Type"] for mount in host["Mounts"]} == {"volume"}
        assert one["Config"]["User"] not in {"", "0", "root"}
        assert host["NetworkMode"] == "none" or host["NetworkMode"].startswith("container:")
    gunicorn = next(one for one in containers if one["Config"]["Labels"][connection.IMAGE_LABEL] == "gunicorn")
    assert gunicorn["HostConfig"]["NetworkMode"] == "none"
    may_write = {
        one["Config"]["Labels"][connection.IMAGE_LABEL]
        for one in containers
        if one["HostConfig"]["PidMode"]
        for mount in one["HostConfig"]["Mounts"]
        if mount["Target"].startswith("/tmp/recycle-") and not mount.get("ReadOnly")  # noqa: S108 - as it is shown
    }
    assert may_write == {"gunicorn"}


def test_after_kill_9_all_ends_and_clean_removes_the_rest(client: DockerClient, tmp_path: Path) -> None:
    with running(client, tmp_path) as (process, _):
        os.kill(process.pid, signal.SIGKILL)
        process.wait(timeout=RUN_S)
        await_none_running(client)
    assert leftovers(client) == (ALL_FOUR, 2)
    # Another cache folder: nothing of this machine's environments is touched, and the engine is cleaned all the same.
    done = harness("clean", RECYCLE_HARNESS_CACHE=str(tmp_path / "cache"))
    assert done.returncode == 0, done.stderr
    assert "4 removed" in done.stdout
    assert leftovers(client) == (0, 0)


def test_clean_leaves_a_run_under_way_alone(client: DockerClient, tmp_path: Path) -> None:
    cache = str(tmp_path / "cache")
    with running(client, tmp_path, "--duration", "60", cache=cache) as (process, containers):
        done = harness("clean", RECYCLE_HARNESS_CACHE=cache)
        assert done.returncode == 0, done.stderr
        alive = list_containers(client)
        assert {one["Id"] for one in alive} == {one["Id"] for one in containers}
        for one in containers:
            client.api.inspect_image(one["Image"])
        os.kill(process.pid, signal.SIGINT)
        process.communicate(timeout=RUN_S)
    assert leftovers(client) == (0, 0)


def test_an_observer_that_is_killed_is_an_error_and_never_a_verdict(client: DockerClient, tmp_path: Path) -> None:
    with running(client, tmp_path, "--json") as (process, containers):
        observer = next(one for one in containers if not one["HostConfig"]["PidMode"])
        client.api.kill(observer["Id"])
        output, _ = process.communicate(timeout=RUN_S)
    assert process.returncode == 4, output
    assert json.loads((tmp_path / "latest" / "verdict.json").read_text())["verdict"] == "error"
    assert leftovers(client) == (0, 0)


def test_a_proxy_that_somebody_stopped_is_interference(client: DockerClient, tmp_path: Path) -> None:
    with running(client, tmp_path, "--json", "--duration", "4") as (process, containers):
        proxy = next(one for one in containers if "/.h2o.pid" in " ".join(one["Args"]))
        time.sleep(1.5)
        client.api.kill(proxy["Id"], "SIGSTOP")
        time.sleep(0.5)
        client.api.kill(proxy["Id"], "SIGCONT")
        output, _ = process.communicate(timeout=RUN_S)
    said = json.loads((tmp_path / "latest" / "verdict.json").read_text())
    assert said["verdict"] == "inconclusive", output
    (note,) = (one for one in said["notes"] if one["id"] == "interference")
    assert "proxy" in note["detail"], note


def test_another_release_of_the_same_python_adds_one_layer(client: DockerClient, tmp_path: Path) -> None:
    layers = []
    for release in ("19.6.0", "19.7.1"):
        options = ("--profile", "quick", "--backend", "docker", "--out", str(tmp_path))
        assert harness("reproduce", release, *options).returncode in {0, 3}
        facts = json.loads((tmp_path / "latest" / "facts.json").read_text())
        image = client.api.inspect_image(facts["containers"]["images"]["gunicorn"]["id"])
        layers.append(image["RootFS"]["Layers"])
    assert layers[0][:-1] == layers[1][:-1]
    assert layers[0][-1] != layers[1][-1]
