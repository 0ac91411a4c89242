"""The bytecode of an environment: all of it is there, made here or linked, and what can't be imported is told."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import cache_from_source
from pathlib import Path

import pytest

from harness.core.paths import fixtures_dir

PROGRAM = fixtures_dir() / "environment" / "compiling.py"
SITE = Path("lib", f"python{sys.version_info[0]}.{sys.version_info[1]}", "site-packages")
STARTED = (
    "import sys; sys.path.insert(0, {site!r}); sys.argv = ['compiling.py', 'left_out']; exec(open({program!r}).read())"
)


def make_environment(envs: Path, name: str, like: Path | None = None) -> Path:
    """With a gunicorn of some modules; ``like``: files of the same text are links to those of that environment."""
    texts = {
        "gunicorn/__init__.py": f"NAME = {name!r}\n",
        "gunicorn/app/__init__.py": "",
        "gunicorn/app/wsgiapp.py": "import gunicorn.used\n",
        "gunicorn/used.py": "USED = 1\n" * 200,
        "gunicorn/unused.py": "UNUSED = 1\n" * 100,
        "gunicorn/later.py": "match = case = (\n",
        "left_out/__init__.py": "",
    }
    for path, text in texts.items():
        place = envs / name / SITE / path
        place.parent.mkdir(parents=True, exist_ok=True)
        twin = None if like is None else like / SITE / path
        if twin is not None and twin.read_text() == text:
            os.link(twin, place)
        else:
            place.write_text(text)
    return envs / name


def compile_environment(environment: Path) -> subprocess.CompletedProcess[str]:
    told = STARTED.format(site=str(environment / SITE), program=str(PROGRAM))
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    argv = [sys.executable, "-I", "-c", told]
    return subprocess.run(argv, cwd=environment, env=environ, capture_output=True, text=True, check=False)


def made_of(environment: Path, path: str) -> Path:
    return Path(cache_from_source(str(environment / SITE / path)))


def test_all_is_compiled_but_what_is_left_out_or_for_another_python(tmp_path: Path) -> None:
    environment = make_environment(tmp_path, "first")
    done = compile_environment(environment)
    assert done.returncode == 0, done.stderr
    assert all(made_of(environment, f"gunicorn/{name}.py").exists() for name in ("__init__", "used", "unused"))
    assert not made_of(environment, "gunicorn/later.py").exists()
    assert not made_of(environment, "left_out/__init__.py").exists()


def test_bytecode_of_the_very_same_file_is_linked_and_no_other(tmp_path: Path) -> None:
    first = make_environment(tmp_path, "first")
    assert compile_environment(first).returncode == 0
    second = make_environment(tmp_path, "second", like=first)
    assert compile_environment(second).returncode == 0
    shared = {
        path for path in ("used", "unused", "__init__") if made_of(second, f"gunicorn/{path}.py").stat().st_nlink > 1
    }
    assert shared == {"used", "unused"}
    argv = [sys.executable, "-c", "import gunicorn, gunicorn.used; print(gunicorn.NAME, gunicorn.used.__file__)"]
    said = subprocess.run(
        argv, env={"PYTHONPATH": str(second / SITE)}, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert said.stdout.split() == ["second", str(second / SITE / "gunicorn/used.py")]


@pytest.mark.parametrize("of_sibling", ["nothing", "no bytecode", "a file in its place"])
def test_a_sibling_that_is_no_help_is_no_hindrance(tmp_path: Path, of_sibling: str) -> None:
    first = make_environment(tmp_path, "first")
    if of_sibling == "a file in its place":
        (tmp_path / "another.lock").touch()
    if of_sibling == "nothing":
        (tmp_path / "empty").mkdir()
    second = make_environment(tmp_path, "second", like=first)
    assert compile_environment(second).returncode == 0
    assert made_of(second, "gunicorn/used.py").exists()


def test_what_can_not_be_imported_is_told(tmp_path: Path) -> None:
    environment = make_environment(tmp_path, "first")
    (environment / SITE / "gunicorn/app/wsgiapp.py").write_text("import nowhere_to_be_found\n")
    done = compile_environment(environment)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1] == "ModuleNotFoundError: No module named 'nowhere_to_be_found'"
