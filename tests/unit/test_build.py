"""How an environment comes to be: from a plan to a finished folder, or to nothing at all. uv and Python are played."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from harness.core import subprocesses
from harness.core.errors import SurroundingsError, UnrunnableError
from harness.core.subprocesses import Done
from harness.provision import build, installer
from harness.provision.build import BUILDING, MARK, BuildPlan
from harness.provision.installer import WrongPythonError
from harness.provision.interpreters import Interpreter
from harness.provision.releases import load_catalogue
from harness.provision.sources import Source


@dataclass(slots=True, kw_only=True)
class Installer:
    """Plays uv and the new environment's Python, and keeps what they were asked."""

    stderr: str = ""
    status: int = 0
    fails: Exception | None = None
    installed: list[Sequence[str]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def create_venv(self, folder: Path, **_: Any) -> None:
        (folder / "bin").mkdir(parents=True)
        (folder / "bin" / "python").touch(mode=0o755)
        (folder / "lib" / "python3.6" / "site-packages").mkdir(parents=True)

    def install(self, folder: Path, requirements: Sequence[str], *, log: Path, **_: Any) -> None:
        self.installed.append(requirements)
        log.write_text("what uv said")
        if self.fails is not None:
            raise self.fails
        site = folder / "lib" / "python3.6" / "site-packages"
        for name, version in (("gunicorn", "19.6.0"), ("bottle", "0.12.13")):
            (site / name).mkdir()
            (site / name / "__init__.py").touch()
            (site / f"{name}-{version}.dist-info").mkdir()
            (site / f"{name}-{version}.dist-info" / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n")

    def run(self, command: Sequence[str], **_: Any) -> Done:
        return Done(status=self.status, stdout="", stderr=self.stderr)

    def build(self, plan: BuildPlan) -> None:
        build.build(plan, lock_fd=0, say=self.said.append)


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Installer:
    played = Installer()
    monkeypatch.setattr(subprocesses, "run", played.run)
    for name in ("create_venv", "install"):
        monkeypatch.setattr(installer, name, getattr(played, name))
    return played


def stage(folder: Path) -> str:
    folder.mkdir()
    return "gunicorn==19.6.0"


SOURCE = Source(
    name="gunicorn 19.6.0", version="19.6.0", identity="release-19.6.0", suffix="", revision=None, stage=stage
)
PYTHON = Interpreter(path=Path("/usr/bin/python3.6"), version="3.6.15", implementation="CPython")


def plan(envs: Path, source: Source = SOURCE, interpreter: Interpreter = PYTHON, worker: str = "gthread") -> BuildPlan:
    return build.make_plan(load_catalogue(), source, interpreter, worker=worker, envs=envs)


def test_the_key_is_readable_and_changes_with_all_that_matters(tmp_path: Path) -> None:
    key = plan(tmp_path).key
    assert key.startswith("19.6.0-py3.6.15-")
    assert plan(tmp_path / "elsewhere").key == key
    others = {
        plan(tmp_path, replace(SOURCE, identity="tree-1234")).key,
        plan(tmp_path, replace(SOURCE, suffix="-git-1a2b3c4")).key,
        plan(tmp_path, interpreter=replace(PYTHON, path=Path("/opt/python3.6"))).key,
        plan(tmp_path, worker="gevent").key,
    }
    assert len({*others, key}) == 5
    assert plan(tmp_path, replace(SOURCE, version="../x y")).key.startswith(".._x_y-py"), "it is a folder's name"


def test_a_finished_environment_says_what_it_is_made_of(tmp_path: Path, played: Installer) -> None:
    wanted = plan(tmp_path)
    played.build(wanted)
    mark = build.read_mark(wanted.place)
    assert mark is not None
    assert (mark["gunicorn_version"], mark["label"], mark["python_version"]) == ("19.6.0", "19.6.0", "3.6.15")
    assert mark["freeze"] == ["bottle==0.12.13", "gunicorn==19.6.0"]
    assert played.installed == [("gunicorn==19.6.0", *wanted.requirements)]
    assert played.said == ["installing gunicorn 19.6.0 on Python 3.6.15 (/usr/bin/python3.6)"]
    assert [path.name for path in tmp_path.iterdir()] == [wanted.key], "neither log nor half-built folder stays"
    assert not (wanted.place / "source").exists()


def test_what_killed_builds_left_behind_goes_with_the_next_build_of_that_key(tmp_path: Path, played: Installer) -> None:
    wanted = plan(tmp_path)
    left, others = tmp_path / f"{BUILDING}{wanted.key}-1234", tmp_path / f"{BUILDING}another-key-1234"
    left.mkdir()
    others.mkdir()
    played.build(wanted)
    assert (left.exists(), others.exists()) == (False, True)


def test_a_damaged_environment_is_replaced(tmp_path: Path, played: Installer) -> None:
    wanted = plan(tmp_path)
    played.build(wanted)
    (wanted.place / "bin" / "python").unlink()
    assert build.read_mark(wanted.place) is None
    played.build(wanted)
    assert build.read_mark(wanted.place) is not None


@pytest.mark.parametrize("content", ["", "[]", '{"schema": 0}'])
def test_a_mark_that_is_none_makes_no_environment(tmp_path: Path, content: str) -> None:
    assert build.read_mark(tmp_path) is None
    (tmp_path / MARK).write_text(content)
    assert build.read_mark(tmp_path) is None


def test_of_a_failed_installation_only_the_log_stays(tmp_path: Path, played: Installer) -> None:
    played.fails, wanted = UnrunnableError(what="no matching distribution"), plan(tmp_path)
    with pytest.raises(UnrunnableError, match="no matching distribution"):
        played.build(wanted)
    assert [path.name for path in tmp_path.iterdir()] == [f"{wanted.key}.log"]


@pytest.mark.parametrize(
    ("stderr", "version", "kind", "match"),
    [
        ("ModuleNotFoundError: No module named 'imp'", "3.13.1", WrongPythonError, "no longer has imp"),
        ("ModuleNotFoundError: No module named 'packaging'", "3.6.15", SurroundingsError, "lacks packaging"),
        ("SyntaxError: invalid syntax", "3.6.15", UnrunnableError, "SyntaxError: invalid syntax"),
        ("", "3.6.15", UnrunnableError, "exit status 1"),
    ],
)
def test_whose_fault_it_is_that_gunicorn_cannot_be_imported(
    tmp_path: Path, played: Installer, *, stderr: str, version: str, kind: type[Exception], match: str
) -> None:
    played.status, played.stderr = 1, stderr
    wanted = plan(tmp_path, interpreter=replace(PYTHON, version=version))
    with pytest.raises(kind, match=match) as caught:
        played.build(wanted)
    assert type(caught.value) is kind
    assert not wanted.place.exists()


def test_a_half_removed_environment_counts_as_none(tmp_path: Path, played: Installer) -> None:
    wanted = plan(tmp_path)
    played.build(wanted)
    assert json.loads((wanted.place / MARK).read_text())["schema"] == build.SCHEMA
    build.remove_environment(wanted.place)
    assert not wanted.place.exists()
    build.remove_environment(wanted.place)
