"""The pure parts of the docker back end: files into volumes, distributions, refusals, what counts as abandoned."""

from __future__ import annotations

import argparse
import io
import itertools
import os
import platform
import tarfile
import time
from pathlib import Path
from typing import Any, cast

import check_jsonschema
import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from harness.backends.docker import archives, bases, building, connection, images, leftovers, tool_images, wheels
from harness.backends.docker.building import ImageRecipe
from harness.backends.docker.pod import MEMORY_BYTES, PROCESSES
from harness.core import procfs
from harness.core.errors import SurroundingsError, UsageError
from harness.core.model import Cell
from harness.core.paths import docker_dir
from harness.engine.options import add_run_options, make_request

COMPOSE = docker_dir() / "compose.yaml"

# --- parcels ---


def porter() -> archives.Porter:
    return archives.Porter(api=cast(Any, None), container="")


def test_what_was_delivered_is_never_delivered_again(tmp_path: Path) -> None:
    config = tmp_path / "config"
    (config / "trace").mkdir(parents=True)
    (config / "web.py").write_text("app")
    carrier = porter()
    folders, files = carrier.select(tmp_path, config)
    assert ([folder.name for folder in folders], files) == (["config/trace"], {"config/web.py": b"app"})
    (config / "wrk.lua").write_text("script")
    assert carrier.select(tmp_path, config) == ([], {"config/wrk.lua": b"script"})
    assert carrier.select(tmp_path, config) == ([], {})
    (config / "web.py").write_text("another")
    assert carrier.select(tmp_path, config) == ([], {"config/web.py": b"another"})


def test_a_parcel_has_owners_and_modes() -> None:
    packed = archives.pack([archives.Folder(name="socket", owner=10001)], {"a/b": b"text"})
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        folder, file = archive.getmembers()
    assert (folder.name, folder.uid, folder.mode, folder.isdir()) == ("socket", 10001, 0o755, True)
    assert (file.name, file.uid, file.mode, file.size) == ("a/b", 0, 0o644, 4)


def test_only_plain_files_come_back_and_none_outside(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name in ("logs/a.log", "logs/.gunicorn.pid", "../evil", "/evil"):
            member = tarfile.TarInfo(name)
            member.size = 1
            archive.addfile(member, io.BytesIO(b"x"))
        link = tarfile.TarInfo("logs/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    packed.seek(0)
    with tarfile.open(fileobj=packed, mode="r|") as archive:
        archives.unpack(archive, tmp_path / "run")
    assert [path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()] == [Path("run/logs/a.log")]


@pytest.mark.parametrize("sizes", [[1] * 30, [7, 23], [30]])
def test_pieces_read_as_one_file(sizes: list[int]) -> None:
    content = bytes(range(30))
    pieces, start = [], 0
    for size in sizes:
        pieces.append(content[start : start + size])
        start += size
    stream = archives.Pieces(pieces)
    assert (stream.read(10), stream.read(0), stream.read(15), stream.read(10), stream.read(5)) == (
        content[:10],
        b"",
        content[10:25],
        content[25:],
        b"",
    )


# --- distributions ---


def package(*names: str) -> dict[str, Any]:
    return {"wheels": [{"url": f"https://index.invalid/{name}"} for name in names]}


@pytest.mark.parametrize(
    ("version", "architecture", "names", "chosen"),
    [
        ("3.6.15", "amd64", ["g-1-py2.py3-none-any.whl"], "g-1-py2.py3-none-any.whl"),
        (
            "3.6.15",
            "amd64",
            ["g-1-cp37-cp37m-manylinux2014_x86_64.whl", "g-1-cp36-cp36m-manylinux2014_x86_64.whl"],
            "g-1-cp36-cp36m-manylinux2014_x86_64.whl",
        ),
        (
            "3.10.13",
            "arm64",
            ["g-1-cp310-cp310-manylinux_2_17_x86_64.whl", "g-1-cp310-cp310-manylinux_2_17_aarch64.whl"],
            "g-1-cp310-cp310-manylinux_2_17_aarch64.whl",
        ),
        ("3.10.13", "amd64", ["g-1-cp310-cp310-macosx_11_0_arm64.whl", "g-1-cp310-cp310-win_amd64.whl"], None),
        (
            "3.12.1",
            "amd64",
            ["g-1-py3-none-any.whl", "g-1-cp312-cp312-manylinux_2_17_x86_64.whl"],
            "g-1-cp312-cp312-manylinux_2_17_x86_64.whl",
        ),
        ("3.6.15", "amd64", ["g-1-py2-none-any.whl"], None),
        ("3.6.15", "amd64", ["not a wheel.whl"], None),
    ],
)
def test_the_wheel_of_the_image_s_python_is_chosen(
    version: str, architecture: str, names: list[str], chosen: str | None
) -> None:
    target = wheels.Target(version=version, architecture=architecture)
    found = wheels.choose_wheel(package(*names), target)
    assert (found and found["url"].rpartition("/")[2]) == chosen


# --- images ---


def recipe(**changes: Any) -> ImageRecipe:
    values: dict[str, Any] = {
        "kind": "h2o",
        "dockerfile": "FROM x",
        "matter": ("sha256:1",),
        "arguments": {"BASE": "x"},
        "fill": lambda folder: {},
    }
    return ImageRecipe(**{**values, **changes})


@pytest.mark.parametrize(
    "changes",
    [{"kind": "wrk"}, {"dockerfile": "FROM y"}, {"matter": ("sha256:2",)}, {"arguments": {"BASE": "y"}}],
)
def test_another_content_is_another_image(changes: dict[str, Any]) -> None:
    assert recipe().tag == recipe().tag
    assert recipe(**changes).tag != recipe().tag


def test_a_build_s_context_says_nothing_of_when_and_by_whom(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").write_text("text")
    first = building.pack(tmp_path).getvalue()
    os.utime(tmp_path / "a" / "b", (1, 1))
    (tmp_path / "a" / "b").chmod(0o600)
    assert building.pack(tmp_path).getvalue() == first


def test_a_failing_build_is_told_with_its_step_and_last_lines(tmp_path: Path) -> None:
    said = [
        {"stream": "Step 1/2 : FROM x\n"},
        {"stream": "Step 2/2 : RUN make\n"},
        {"stream": " ---> Running in abc\n"},
        {"stream": "make: nothing to do\n"},
        {"error": "The command returned a non-zero code: 2"},
    ]
    steps: list[str] = []
    with pytest.raises(building.BuildFailedError) as caught:
        building.follow_build(said, recipe(), tmp_path / "log", steps.append)
    assert "make: nothing to do" in caught.value.what
    assert "'RUN make'" in caught.value.what
    assert "non-zero code: 2" in (tmp_path / "log").read_text()
    assert [step.partition(": ")[2] for step in steps] == ["step 1 of 2, FROM x", "step 2 of 2, RUN make"]


def test_a_build_that_says_too_much_or_never_ends_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "MOST_LOG_CHARACTERS", 10)
    with pytest.raises(building.BuildFailedError):
        building.follow_build([{"stream": "a" * 50}, {"error": "no"}], recipe(), tmp_path / "log", lambda text: None)
    assert (tmp_path / "log").read_text() == "a" * 10 + "no"
    monkeypatch.setattr(building, "BUILD_TIMEOUT_S", 0.0)
    with pytest.raises(building.BuildFailedError, match="took over 0 s to build"):
        building.follow_build(itertools.repeat({"stream": "a"}), recipe(), tmp_path / "log", lambda text: None)


def test_a_full_disk_in_a_build_is_told_as_one(tmp_path: Path) -> None:
    said = [{"stream": "dpkg: error: No space left on device\n"}, {"error": "returned a non-zero code: 100"}]
    with pytest.raises(SurroundingsError) as caught:
        building.follow_build(said, recipe(), tmp_path / "log", lambda text: None)
    assert "Free some space" in caught.value.remedy


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("python:3.6-slim", ("python", "3.6-slim")),
        ("registry.invalid:5000/python", ("registry.invalid:5000/python", "latest")),
        ("registry.invalid:5000/python:3.6", ("registry.invalid:5000/python", "3.6")),
        ("python@sha256:0123", ("python@sha256:0123", None)),
    ],
)
def test_an_image_s_name_is_taken_apart(name: str, expected: tuple[str, str | None]) -> None:
    assert bases.split_name(name) == expected


def test_the_observer_is_made_of_the_rooms_that_it_imports() -> None:
    own = tool_images.own_code()
    assert {
        "__init__.py",
        "watch/remote.py",
        "watch/watchers.py",
        "stack/proxies/h2o.py",
        "core/model.py",
    } <= own.keys()
    assert not any(name.startswith(("report/", "studies/", "backends/")) for name in own)


def test_the_compose_file_is_valid_and_says_what_is_done() -> None:
    checked = CliRunner().invoke(check_jsonschema.main, ["--builtin-schema", "vendor.compose-spec", str(COMPOSE)])
    assert checked.exit_code == 0, checked.output
    services = YAML(typ="safe", pure=True).load(COMPOSE.read_text())["services"]
    for name, role in (("gunicorn", "gunicorn"), ("h2o", "proxy"), ("wrk", "clients")):
        said = services[name]
        assert said["mem_limit"] == f"{MEMORY_BYTES[role] >> 20}m"
        assert said["pids_limit"] == PROCESSES
        assert f"USER {said['user']}\n" in (COMPOSE.parent / said["build"]["context"] / "Dockerfile").read_text()
        assert (said["read_only"], said["cap_drop"]) == (True, ["ALL"])
        assert "ports" not in said


# --- refusals ---


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ("write /var/lib/x: no space left on device", "Free some space"),
        ("standard_init_linux.go: exec format error", "another kind of machine"),
        ("('Connection aborted.', PermissionError(13, 'Permission denied'))", "usermod -aG docker"),
        ("('Connection aborted.', FileNotFoundError(2, 'No such file or directory'))", "Start an engine"),
        ("HTTPConnectionPool: Connection refused", "Start an engine"),
        ("something new", "docker info"),
    ],
)
def test_what_an_engine_says_comes_with_its_remedy(said: str, remedy: str) -> None:
    error = connection.explain("The run's containers could not be started", said)
    assert remedy in error.remedy
    assert said.rsplit(maxsplit=1)[-1] in error.what


def test_an_app_of_one_s_own_is_wrong_usage_in_containers() -> None:
    parser = argparse.ArgumentParser()
    add_run_options(parser)
    arguments = ["19.6.0", "--backend", "docker"]
    assert make_request(parser.parse_args(arguments)).cell.backend == "docker"
    with pytest.raises(UsageError, match="--app"):
        make_request(parser.parse_args([*arguments, "--app", "mine:app"]))


def test_a_proxy_or_load_without_an_image_is_wrong_usage() -> None:
    assert images.why_not(Cell(spec="19.6.0", backend="docker")) is None
    for cell in (Cell(spec="19.6.0", proxy="squid"), Cell(spec="19.6.0", load="httpx")):
        refused = images.why_not(cell)
        assert refused is not None
        assert "h2o" in refused.remedy or "wrk" in refused.remedy


# --- what is abandoned ---


def test_a_run_of_a_live_process_is_not_abandoned() -> None:
    assert not leftovers.is_abandoned([(leftovers.owner(), False, 0.0)])


def test_a_run_whose_process_has_gone_is_abandoned() -> None:
    start = procfs.start_ticks(os.getpid()) or 0
    assert leftovers.is_abandoned([(f"{platform.node()}/{os.getpid()}/{start + 1}", True, time.time())])
    assert leftovers.is_abandoned([(f"{platform.node()}/999999999/1", False, time.time())])


@pytest.mark.parametrize(
    ("running", "age_s", "abandoned"), [(True, 1e6, False), (False, 1.0, False), (False, 1e6, True)]
)
def test_another_machine_s_run_is_left_alone_while_it_may_live(running: bool, age_s: float, abandoned: bool) -> None:
    rows = [("elsewhere/1/1", running, time.time() - age_s)]
    assert leftovers.is_abandoned(rows) is abandoned
