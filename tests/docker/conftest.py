"""What the tests against a real engine share. Where none answers, or it has no base image, they are skipped and say so.

With RECYCLE_HARNESS_ENGINE_REQUIRED set, because one was just started for them, one that can't be used is a failure.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.backends.docker import bases, connection
from harness.core.errors import SurroundingsError

if TYPE_CHECKING:
    from docker import DockerClient

PYTHONS = ("3.6", "3.10")
RUN_S = 240.0

HERE = Path(__file__).parent

STARTED: set[int] = set()
"""The pids of the commands that these tests started: another file's tests may use the engine at the same time."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.engine)


def why_not() -> str | None:
    """Why nothing can be tested here; None where all can."""
    try:
        client = connection.connect(timeout_s=connection.LOOK_S)
    except SurroundingsError as problem:
        if os.environ.get("RECYCLE_HARNESS_ENGINE_REQUIRED"):
            pytest.fail(f"the engine that was started can't be used: {problem.what}")
        return f"no Docker engine: {problem.what}"
    missing = [minor for minor in PYTHONS if not bases.is_here(client, minor)]
    client.close()
    return f"no base image of Python {' and '.join(missing)} (docker/local-base makes them)" if missing else None


@pytest.fixture(scope="session")
def client() -> Iterator[DockerClient]:
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)
    connected = connection.connect()
    yield connected
    connected.close()


def harness(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`harness ...` to its end."""
    with start(*arguments, **environment) as process:
        try:
            output, errors = process.communicate(timeout=RUN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def start(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    """`harness ...`, in a session of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "harness", *arguments],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    STARTED.add(process.pid)
    return process


def read_events(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]


def list_containers(client: DockerClient, *, ended: bool = False) -> list[Any]:
    """The containers of the runs that were started here, of which ``ended`` ones only if they are asked for."""
    found: list[Any] = client.api.containers(all=ended, filters={"label": connection.RUN_LABEL})
    return [one for one in found if is_ours(one)]


def leftovers(client: DockerClient) -> tuple[int, int]:
    """How many containers and volumes of the runs that were started here are on the engine."""
    volumes = client.api.volumes(filters={"label": connection.RUN_LABEL}).get("Volumes") or ()
    return len(list_containers(client, ended=True)), len([one for one in volumes if is_ours(one)])


def is_ours(labelled: Mapping[str, Any]) -> bool:
    """Whether a container or a volume belongs to a command of these tests."""
    return int(labelled["Labels"][connection.OWNER_LABEL].split("/")[1]) in STARTED
