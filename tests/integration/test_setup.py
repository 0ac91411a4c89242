"""The set-up: make's variables stay data, the environment is made once, the lock pins what the project declares."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from harness.cli import makevars
from harness.provision import bootstrap

ROOT = Path(__file__).resolve().parents[2]
VARIABLES = (*makevars.OPTIONS, "GUNICORN", "ARGS", "BOOTSTRAP_PYTHON")

HOSTILE = [
    "$(shell touch owned)",
    "${shell touch owned}",
    "19.6.0; touch owned",
    "19.6.0 && touch owned #",
    "`touch owned`",
    "$(touch owned)",
    "' ; touch owned ; '",
    '" ; touch owned ; "',
    "x\ntouch owned",
    "a path/with  spaces and $$ and \\",
]

RECORDER = """#!{python} -IS
import json, os, sys
with open({record!r}, "a") as record:
    record.write(json.dumps([sys.argv[1:], dict(os.environ)]) + "\\n")
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the Makefile with a .venv whose Python only writes down how it was called, to ``calls``."""
    tree = tmp_path / "checkout"
    (tree / ".venv" / "bin").mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", tree)
    python = tree / ".venv" / "bin" / "python"
    python.write_text(RECORDER.format(python=sys.executable, record=str(tmp_path / "calls")))
    python.chmod(0o755)
    return tree


def run_make(tree: Path, *arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name not in (*VARIABLES, "MAKEFLAGS")}
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=tree, env={**kept, **(env or {})}, capture_output=True, text=True, check=False)


def calls(tree: Path) -> list[tuple[list[str], dict[str, str]]]:
    return [(argv, env) for argv, env in map(json.loads, (tree.parent / "calls").read_text().splitlines())]


def assert_nothing_ran(tree: Path) -> None:
    assert sorted(path.name for path in tree.iterdir()) == [".venv", "Makefile"]


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("command", makevars.RUNS)
def test_values_on_the_command_line_arrive_as_they_were_written(checkout: Path, command: str, value: str) -> None:
    names = [name for name in VARIABLES if name != "BOOTSTRAP_PYTHON"]
    done = run_make(checkout, command, *(f"{name}={value}" for name in names))
    assert done.returncode == 0, done.stderr
    assert_nothing_ran(checkout)
    argv, env = calls(checkout)[-1]
    assert argv == ["-m", "harness.cli.start", command]
    assert {name: env[name] for name in names} == dict.fromkeys(names, value)


@pytest.mark.parametrize("value", HOSTILE)
def test_values_in_the_environment_arrive_as_they_were_written(checkout: Path, value: str) -> None:
    names = [name for name in VARIABLES if name != "BOOTSTRAP_PYTHON"]
    done = run_make(checkout, "reproduce", env=dict.fromkeys(names, value))
    assert done.returncode == 0, done.stderr
    assert_nothing_ran(checkout)
    assert {name: calls(checkout)[-1][1][name] for name in names} == dict.fromkeys(names, value)


@pytest.mark.parametrize("value", HOSTILE)
def test_the_python_of_the_set_up_is_data_too(checkout: Path, value: str) -> None:
    done = run_make(checkout, "setup", f"BOOTSTRAP_PYTHON={value}")
    assert "BOOTSTRAP_PYTHON is not a Python 3 that starts" in done.stderr
    assert done.returncode != 0
    assert_nothing_ran(checkout)


def test_an_unknown_variable_is_named_and_not_expanded(checkout: Path) -> None:
    done = run_make(checkout, "reproduce", "GUNICORN=20.0.0", "WORKRE=$(shell touch owned)")
    assert "unknown variable WORKRE is ignored" in done.stderr
    assert_nothing_ran(checkout)


@pytest.mark.parametrize("name", ["VENV_PYTHON", "HARNESS", "SHELL", ".SHELLFLAGS", "LOCK", "STRAY"])
def test_the_makefile_s_own_variables_are_not_the_caller_s(checkout: Path, name: str) -> None:
    done = run_make(checkout, "doctor", f"{name}=/bin/false -c")
    assert f"unknown variable {name} is ignored" in done.stderr
    assert done.returncode == 0, done.stderr
    assert calls(checkout)[-1][0] == ["-m", "harness.cli.start", "doctor"]


def test_a_failing_run_fails_make(checkout: Path) -> None:
    python = checkout / ".venv" / "bin" / "python"
    python.write_text('#!/bin/sh\ncase "$*" in *cli.start*) exit 5;; esac\n')
    done = run_make(checkout, "reproduce", "GUNICORN=20.0.0")
    assert "Error 5" in done.stderr
    assert done.returncode != 0


def test_recipes_let_bytecode_be_cached_and_pass_no_flags_of_make_on(checkout: Path) -> None:
    done = run_make(checkout, "-k", "doctor", env={"PYTHONDONTWRITEBYTECODE": "1"})
    assert done.returncode == 0, done.stderr
    env = calls(checkout)[-1][1]
    assert env["PYTHONDONTWRITEBYTECODE"] == ""
    assert "MAKEFLAGS" not in env


def test_help_lists_every_target() -> None:
    text = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z][\w-]*):(?!=)", text, re.MULTILINE))
    phony = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    assert phony is not None
    assert targets == set(phony[1].split())
    listed = {line.split()[0] for line in run_make(ROOT, "help").stdout.splitlines() if line.startswith("  ")}
    assert targets <= listed
    assert run_make(ROOT).stdout == run_make(ROOT, "help").stdout


# --- the environment and its stamp ----------------------------------------------------------------------------


@pytest.fixture
def setup(tmp_path: Path) -> bootstrap.Setup:
    """A checkout whose environment has not been made."""
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "dev.txt").write_text("uv==1.0 \\\n    --hash=sha256:aa\n")
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    return bootstrap.Setup(tmp_path)


def make_environment(setup: bootstrap.Setup) -> None:
    """What an environment leaves behind, without one."""
    setup.python.parent.mkdir(parents=True)
    setup.python.symlink_to(sys.executable)
    (setup.venv / "pyvenv.cfg").write_text("version = 3.11.2\n")
    setup.stamp.write_text(setup.fingerprint())


def test_a_made_environment_is_ready(setup: bootstrap.Setup) -> None:
    assert not setup.is_ready()
    make_environment(setup)
    assert setup.is_ready()


@pytest.mark.parametrize("name", ["pyproject.toml", "requirements/dev.txt", ".venv/pyvenv.cfg"])
def test_a_change_of_what_it_was_made_from_makes_it_anew(setup: bootstrap.Setup, name: str) -> None:
    make_environment(setup)
    (setup.root / name).write_text("changed")
    assert not setup.is_ready()


def test_an_environment_whose_python_is_gone_is_made_anew(setup: bootstrap.Setup) -> None:
    make_environment(setup)
    setup.python.unlink()
    setup.python.symlink_to(setup.root / "removed")
    assert not setup.is_ready()


def test_an_environment_that_was_killed_half_way_is_made_anew(setup: bootstrap.Setup) -> None:
    make_environment(setup)
    setup.stamp.unlink()
    assert not setup.is_ready()


def test_a_moved_checkout_is_made_anew(setup: bootstrap.Setup) -> None:
    make_environment(setup)
    moved = setup.root.with_name(f"{setup.root.name}-moved")
    setup.root.rename(moved)
    assert not bootstrap.Setup(moved).is_ready()


def test_callers_at_once_make_it_once(setup: bootstrap.Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def make(its_setup: bootstrap.Setup, lock_fd: int) -> None:
        made.append(lock_fd)
        make_environment(its_setup)

    monkeypatch.setattr(bootstrap, "ROOT", setup.root)
    monkeypatch.setattr(bootstrap, "make", make)
    monkeypatch.delenv("BOOTSTRAP_PYTHON", raising=False)
    codes: list[int] = []
    callers = [threading.Thread(target=lambda: codes.append(bootstrap.main([]))) for _ in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert codes == [0] * 8
    assert len(made) == 1


def test_a_check_says_what_is_so_and_changes_nothing(setup: bootstrap.Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "ROOT", setup.root)
    assert bootstrap.main(["--check"]) == 1
    assert not setup.venv.exists()
    make_environment(setup)
    assert bootstrap.main(["--check"]) == 0


def test_a_failing_step_tells_what_it_printed_and_where(
    setup: bootstrap.Setup, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def make(its_setup: bootstrap.Setup, lock_fd: int) -> None:
        its_setup.venv.mkdir()
        argv = [sys.executable, "-c", "import sys; sys.exit('index is away')"]
        bootstrap.run_step(its_setup, lock_fd, argv, "installing uv")

    monkeypatch.setattr(bootstrap, "ROOT", setup.root)
    monkeypatch.setattr(bootstrap, "make", make)
    assert bootstrap.main([]) == bootstrap.EXIT_ERROR
    told = capsys.readouterr().err
    assert "installing uv ended with status 1" in told
    assert "index is away" in told
    assert str(setup.log) in told


def test_a_newer_python_is_looked_for_on_path_then_in_pyenv(tmp_path: Path) -> None:
    def place(path: Path, status: int) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\nexit {status}\n")
        path.chmod(0o755)
        return path

    assert bootstrap.find_newer_python(str(tmp_path / "bin"), tmp_path) is None
    place(tmp_path / "bin" / "python3.13", 127)  # as a shim of pyenv that is not switched on
    in_pyenv = place(tmp_path / ".pyenv" / "versions" / "3.12.1" / "bin" / "python3.12", 0)
    assert bootstrap.find_newer_python(str(tmp_path / "bin"), tmp_path) == str(in_pyenv)
    on_path = place(tmp_path / "bin" / "python3.11", 0)
    assert bootstrap.find_newer_python(str(tmp_path / "bin"), tmp_path) == str(on_path)


def test_python_3_6_understands_the_script() -> None:
    source = (ROOT / "harness" / "provision" / "bootstrap.py").read_text()
    ast.parse(source, feature_version=(3, 6))
    assert "from __future__" not in source  # "annotations" came with 3.7


def test_as_a_script_it_is_not_misled_by_modules_beside_it(tmp_path: Path) -> None:
    rooms = ("__init__", "core/__init__", "core/errors", "provision/__init__", "provision/apt", "provision/bootstrap")
    for name in rooms:
        copied = tmp_path / "harness" / f"{name}.py"
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "harness" / f"{name}.py", copied)
    script = tmp_path / "harness" / "provision" / "bootstrap.py"
    script.with_name("bisect.py").write_text("raise SystemExit('Python took ours for its own')\n")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert "took ours" not in done.stderr
    assert "set-up failed: FileNotFoundError" in done.stderr  # it got as far as the lock, which isn't there
    assert done.returncode == bootstrap.EXIT_ERROR


# --- the lock -------------------------------------------------------------------------------------------------


LOCKS = tuple(ROOT / "requirements" / f"{name}.txt" for name in ("dev", "browser", "site", "audit"))


def test_the_lock_names_no_index_and_no_host() -> None:
    for lock in LOCKS:
        assert not re.search(r"://|--(extra-)?index-url|--find-links", lock.read_text())


def test_the_lock_pins_all_that_the_project_declares() -> None:
    tomllib = pytest.importorskip("tomllib", reason="reading TOML came with Python 3.11")
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = [declared["project"]["dependencies"], *declared["project"]["optional-dependencies"].values()]
    groups += [*declared["dependency-groups"].values(), declared["build-system"]["requires"]]
    names = {canonicalize_name(Requirement(line).name) for group in groups for line in group}
    lock = "".join(path.read_text() for path in LOCKS)
    assert {name for name in names if "--hash=sha256:" in bootstrap.parse_locked(lock, name)} == names


def test_a_requirement_that_is_not_locked_is_an_error() -> None:
    with pytest.raises(LookupError, match="uv"):
        bootstrap.parse_locked("uvloop==1.0 \\\n    --hash=sha256:aa\n", "uv")
