"""What the tests against a real engine share. Where none answers, or it has no base image, they are skipped and say so.

With RECYCLE_HARNESS_ENGINE_REQUIRED set, because one was just started for them, one that can't be used is a failure.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
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
    return subprocess.run(
        [sys.executable, "-m", "harness", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=RUN_S,
        check=False,
    )


def read_events(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]


def leftovers(client: DockerClient) -> tuple[int, int]:
    """How many containers and volumes of any run are on the engine."""
    containers = client.api.containers(all=True, filters={"label": connection.RUN_LABEL})
    volumes = client.api.volumes(filters={"label": connection.RUN_LABEL}).get("Volumes") or ()
    return len(containers), len(volumes)
