"""What a checkout asks for is data: names with versions, and nothing that would be built on this machine."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.backends.docker import wheels
from harness.backends.docker.source_needs import DEFAULT_NEEDS, list_needs, parse_build_needs, read_project
from harness.core.errors import SurroundingsError, UnrunnableError
from harness.core.subprocesses import Done
from harness.provision import installer

ASKS = '[build-system]\nrequires = ["setuptools>=61.2", "wheel"]\n'


def test_what_a_build_needs_is_read_and_not_asked_for() -> None:
    assert parse_build_needs(ASKS, "it") == ("setuptools>=61.2", "wheel")
    assert parse_build_needs("", "it") == DEFAULT_NEEDS


@pytest.mark.parametrize(
    "requires",
    ['["x @ file:///tmp/x"]', '["x @ git+https://example.org/x"]', '["--index-url=x"]', '["-e ."]', "[1]", '"x', "7"],
)
def test_an_address_or_an_option_is_refused(requires: str) -> None:
    with pytest.raises(UnrunnableError, match="it"):
        parse_build_needs(f"[build-system]\nrequires = {requires}\n", "it")


def test_a_source_that_asks_for_nothing_gets_what_setup_py_needs() -> None:
    assert parse_build_needs("[build-system]\nrequires = []\n", "it") == DEFAULT_NEEDS


def test_the_project_of_a_folder_and_of_an_archive(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(ASKS)
    assert read_project(tmp_path, "it") == ASKS
    archive = tmp_path / "gunicorn-1.0.tar.gz"
    with tarfile.open(archive, "w:gz") as packed:
        for name, text in {"a/b/pyproject.toml": "no", "a/pyproject.toml": ASKS}.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            packed.addfile(member, io.BytesIO(text.encode()))
    assert read_project(archive, "it") == ASKS
    (tmp_path / "pyproject.toml").unlink()
    (tmp_path / "pyproject.toml").symlink_to("/etc/passwd")
    assert read_project(tmp_path, "it") == ""


def test_the_project_of_a_zip_file(tmp_path: Path) -> None:
    archive = tmp_path / "gunicorn-1.0.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("gunicorn-1.0/x/pyproject.toml", "no")
        packed.writestr("gunicorn-1.0/pyproject.toml", ASKS)
    assert read_project(archive, "it") == ASKS


@pytest.mark.parametrize("name", ["gunicorn-1.0.tar.gz", "gunicorn-1.0.zip"])
@pytest.mark.parametrize("content", [b"", b"PK", b"\x1f\x8b\x08\0", b"nothing of the kind"])
def test_a_damaged_archive_is_told_to_be_one(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UnrunnableError, match="it can't be read"):
        read_project(tmp_path / name, "it")


def wheel(folder: Path, *needs: str) -> Path:
    path = folder / "gunicorn-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        lines = "".join(f"Requires-Dist: {line}\n" for line in needs)
        archive.writestr("gunicorn-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: gunicorn\n{lines}")
    return path


def test_what_a_wheel_needs_without_its_extras(tmp_path: Path) -> None:
    path = wheel(tmp_path, "packaging", 'gevent>=1.4; extra == "gevent"', 'importlib_metadata; python_version < "3.8"')
    assert list_needs(path, "it") == ("packaging", 'importlib_metadata; python_version < "3.8"')


def test_a_wheel_that_names_an_address_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnrunnableError, match="would be built on this machine"):
        list_needs(wheel(tmp_path, "x @ file:///tmp/x"), "it")
    (tmp_path / "no.whl").write_bytes(b"PK")
    with pytest.raises(UnrunnableError, match="metadata"):
        list_needs(tmp_path / "no.whl", "it")


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("No solution found when resolving: Because all versions of x have no usable wheels", UnrunnableError),
        ("No solution found when resolving: Because x was not found in the package registry", UnrunnableError),
        ("No solution found when resolving: x needs the network, but the network was disabled", SurroundingsError),
        ("Failed to fetch: `https://index.example/x`", SurroundingsError),
    ],
)
def test_what_is_no_wheel_makes_the_source_unrunnable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: str, kind: type[Exception]
) -> None:
    monkeypatch.setenv("RECYCLE_HARNESS_CACHE", str(tmp_path))
    monkeypatch.setattr(installer, "run_uv", lambda *_, **__: Done(status=1, stdout="", stderr=f"error: {said}"))
    target = wheels.Target(version="3.10.4", architecture="amd64")
    with pytest.raises(kind):
        wheels.pin(["x"], [], target, subject="it", log=tmp_path / "log")


def test_what_a_source_asks_for_is_resolved_without_building_anything(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    commands: list[str] = []

    def run_uv(arguments: Sequence[str], _cwd: Path, *, stdin: str) -> Done:
        commands.extend(arguments)
        assert stdin == "packaging>=20\n"
        return Done(status=0, stdout='[[packages]]\nname = "packaging"\nversion = "21.3"\n', stderr="")

    monkeypatch.setenv("RECYCLE_HARNESS_CACHE", str(tmp_path))
    monkeypatch.setattr(installer, "run_uv", run_uv)
    target = wheels.Target(version="3.10.4", architecture="amd64")
    pinned = wheels.pin(["packaging>=20"], ["bottle==0.12.13"], target, subject="it", log=tmp_path / "log")
    assert pinned == ("packaging==21.3",)
    assert "--no-build" in commands
    assert Path(commands[commands.index("--constraint") + 1]).read_text() == "bottle==0.12.13\n"
