"""The image of the harness: built, and used as somebody uses it who has nothing but an engine."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from maintenance.image import find_pythons, name_minor

if TYPE_CHECKING:
    from docker import DockerClient

pytestmark = pytest.mark.slow

TAG = "recycle-harness/harness:tried"
BOUND = ("--network", "none", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")


@pytest.fixture(scope="module")
def image(client: DockerClient) -> Iterator[str]:
    if not find_pythons():
        pytest.skip("no interpreter here lies in a folder of its own")
    command = [sys.executable, "-m", "maintenance.image", "--tag", TAG]
    built = subprocess.run(command, capture_output=True, text=True, timeout=540, check=False)
    assert built.returncode == 0, built.stdout[-2000:] + built.stderr[-2000:]
    yield TAG
    client.images.remove(TAG, force=True)


def use(image: str, *arguments: str, options: tuple[str, ...] = BOUND) -> subprocess.CompletedProcess[str]:
    command = ["docker", "run", "--rm", *options, image, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)


def test_it_reproduces_the_fault_without_a_network_or_any_right(image: str) -> None:
    done = use(image, "reproduce", "19.6.0")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Socket file deleted" in done.stdout
    assert "Python 3.6" in done.stdout or (3, 6) not in find_pythons()


def test_it_has_what_the_harness_starts_and_runs_as_nobody_special(image: str, client: DockerClient) -> None:
    said = use(image, "doctor").stdout
    for program in ("h2o", "wrk", "nginx", "haproxy", "caddy"):
        assert re.search(rf"{program}\s.*\d+\.\d+", said), said
    for minor in find_pythons():
        assert name_minor(minor) in said
    assert client.images.get(image).attrs["Config"]["User"] == "10000:10000"


def test_a_check_ends_with_its_exit_code(image: str) -> None:
    assert use(image, "check", "19.6.0", "--profile", "quick", "--proxy", "haproxy").returncode == 1
