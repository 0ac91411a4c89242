"""What is missing or forbidden on the engine's side: one clear error each, with what to do about it."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from tests.docker.conftest import harness

if TYPE_CHECKING:
    import pytest

    from docker import DockerClient

RUN = ("reproduce", "19.6.0", "--backend", "docker", "--profile", "quick")


def test_no_base_image_says_how_to_make_one(client: DockerClient, tmp_path: Path) -> None:
    missing = "registry.invalid/python:3.6"
    done = harness(*RUN, "--out", str(tmp_path), "--json", RECYCLE_HARNESS_PYTHON_IMAGE=missing)
    error = json.loads(done.stdout)["error"]
    assert done.returncode == 4
    assert missing in error["what"]
    assert "docker/local-base 3.6" in error["remedy"]
    assert "RECYCLE_HARNESS_PYTHON_IMAGE" in error["remedy"]


def test_a_base_image_with_another_python_is_refused(client: DockerClient, tmp_path: Path) -> None:
    wrong = "recycle-harness/base:python-3.10"
    done = harness(*RUN, "--out", str(tmp_path), "--json", RECYCLE_HARNESS_PYTHON_IMAGE=wrong)
    assert done.returncode == 4
    assert "has Python 3.10" in json.loads(done.stdout)["error"]["what"]


def test_a_build_that_fails_shows_its_last_lines_and_keeps_its_log(client: DockerClient, tmp_path: Path) -> None:
    no_apt = "recycle-harness/test:no-apt"
    client.api.import_image_from_data(b"\0" * 10240, repository="recycle-harness/test", tag="no-apt")
    try:
        done = harness(
            *RUN,
            "--out",
            str(tmp_path),
            "--json",
            RECYCLE_HARNESS_DEBIAN_IMAGE=no_apt,
        )
    finally:
        client.api.remove_image(no_apt, force=True)
    error = json.loads(done.stdout)["error"]
    assert done.returncode == 4
    assert "recycle-harness/h2o:" in error["what"]
    assert (tmp_path / "latest" / error["log"]).is_file()


def test_a_release_that_cannot_start_is_unrunnable(client: DockerClient, tmp_path: Path) -> None:
    settings = tmp_path / "settings.py"
    settings.write_text("raise RuntimeError('these settings are broken')\n")
    done = harness(*RUN, "--settings", str(settings), "--out", str(tmp_path), "--json")
    assert done.returncode == 5
    assert "these settings are broken" in json.loads(done.stdout)["error"]["what"]


def test_an_engine_that_is_named_and_is_not_there(tmp_path: Path) -> None:
    done = harness(*RUN, "--out", str(tmp_path), "--json", DOCKER_HOST=f"unix://{tmp_path}/none.sock")
    error = json.loads(done.stdout)["error"]
    assert done.returncode == 4
    assert f"{tmp_path}/none.sock" in error["what"]
    assert "DOCKER_HOST" in error["remedy"]


def test_a_context_that_does_not_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    done = harness(*RUN, "--out", str(tmp_path), "--json", DOCKER_CONTEXT="nowhere", DOCKER_CONFIG=str(tmp_path))
    error = json.loads(done.stdout)["error"]
    assert done.returncode == 4
    assert "'nowhere' does not exist" in error["what"]


def test_the_current_context_is_honoured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    name, path = "elsewhere", f"{tmp_path}/elsewhere.sock"
    import hashlib

    meta = tmp_path / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest()
    meta.mkdir(parents=True)
    endpoint = {"Host": f"unix://{path}", "SkipTLSVerify": False}
    (meta / "meta.json").write_text(json.dumps({"Name": name, "Metadata": {}, "Endpoints": {"docker": endpoint}}))
    (tmp_path / "config.json").write_text(json.dumps({"currentContext": name}))
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)  # there, and nobody listens
        done = harness(*RUN, "--out", str(tmp_path / "runs"), "--json", DOCKER_CONFIG=str(tmp_path))
    error = json.loads(done.stdout)["error"]
    assert done.returncode == 4
    assert path in error["what"]
    assert "refused" in error["what"]
