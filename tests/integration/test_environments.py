"""Real environments, built by uv into a cache of their own, whose path holds all that a path may hold."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness.core.clock import wait_until
from harness.core.errors import SurroundingsError, UnrunnableError, UsageError
from harness.provision import era, hashes, installer
from harness.provision.compatibility import NoInterpreterError
from harness.provision.environments import Environment, prepare
from harness.provision.eviction import list_environments, remove_unused
from harness.provision.spec import parse_spec

ROOT = Path(__file__).resolve().parents[2]
PREPARE = """
import sys
from harness.provision.environments import prepare
from harness.provision.spec import parse_spec
found = prepare(parse_spec(sys.argv[1]), python=None, worker="gthread", say=lambda line: print(line, flush=True))
print("built" if found.built else "found", flush=True)
"""


@pytest.fixture(scope="module")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache") / 'it\'s a "cache" $(folder)'


@pytest.fixture(autouse=True)
def _in_shared_cache(shared_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECYCLE_HARNESS_CACHE", str(shared_cache))


@pytest.fixture
def own_cache(shared_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "cache").mkdir()
    if (shared_cache / "interpreters.json").exists():
        shutil.copy(shared_cache / "interpreters.json", tmp_path / "cache")
    monkeypatch.setenv("RECYCLE_HARNESS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "envs"


_taken: list[Environment] = []


@pytest.fixture(autouse=True)
def give_back() -> Iterator[None]:
    """What a test has prepared is in use until it is closed, and can't be built again."""
    yield
    while _taken:
        _taken.pop().close()


def prepare_or_skip(
    spec: str, *, python: str | None = None, said: list[str] | None = None, era_shims: bool = True
) -> Environment:
    told: list[str] = [] if said is None else said
    try:
        _taken.append(prepare(parse_spec(spec), python=python, worker="gthread", say=told.append, era_shims=era_shims))
    except NoInterpreterError as error:
        pytest.skip(str(error))
    return _taken[-1]


def start_prepare(spec: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PREPARE, spec]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", cwd=ROOT)


def make_checkout(folder: Path, *, version: str, extra: str = "") -> Path:
    """A gunicorn as small as can be, with a setup.py of the old kind."""
    (folder / "gunicorn" / "app").mkdir(parents=True, exist_ok=True)
    numbers = version.replace(".", ", ")
    init = f'version_info = ({numbers})\n__version__ = ".".join(map(str, version_info))\n{extra}\n'
    (folder / "gunicorn" / "__init__.py").write_text(init)
    (folder / "gunicorn" / "app" / "__init__.py").write_text("")
    (folder / "gunicorn" / "app" / "wsgiapp.py").write_text("import gunicorn\n")
    setup = """
        from setuptools import find_packages, setup
        from gunicorn import __version__
        setup(name="gunicorn", version=__version__, packages=find_packages())
    """
    (folder / "setup.py").write_text(textwrap.dedent(setup))
    return folder


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org"]
    done = subprocess.run(
        ["git", "-C", str(folder), *identity, *arguments],  # noqa: S607 - the git that the harness takes, too
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    return done.stdout.strip()


def list_content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def version_inside(environment: Environment) -> str:
    """What the installed gunicorn says of itself, asked from inside."""
    command = [str(environment.python), "-I", "-c", "import gunicorn; print(gunicorn.__version__)"]
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout.strip()


def test_a_release_of_old() -> None:
    environment = prepare_or_skip("19.6.0")

    assert environment.gunicorn_version == environment.label == version_inside(environment) == "19.6.0"
    of_its_era = environment.python_version.startswith(("3.6.", "3.7.", "3.8.", "3.9."))
    assert ("collections-names" in environment.era_shims) == (not of_its_era)
    assert "gunicorn==19.6.0" in environment.freeze
    assert any(line.startswith("setuptools==") for line in environment.freeze)
    assert sum(line.endswith(": taken") for line in environment.looked_at) == 1
    assert environment.revision is None
    (site,) = environment.path.glob("lib/*/site-packages")
    # What the import reads, what only a worker reads, and what only the app does.
    for compiled in ("gunicorn/__pycache__/arbiter", "gunicorn/workers/__pycache__/gthread", "__pycache__/bottle"):
        assert list(site.glob(f"{compiled}.*.pyc")), compiled
    assert not list(site.rglob("__pycache__/*.pyc.*")), "no file is left half-written"


def test_what_the_base_has_is_installed_all_the_same(tmp_path: Path) -> None:
    requirement = next(line for line in prepare_or_skip("19.6.0").freeze if line.startswith("bottle=="))
    base = Path(sys.executable)
    for folder in (tmp_path / "first", tmp_path / "second"):
        installer.create_venv(folder, base=base)
        installer.install(folder, (requirement,), base=base, subject="bottle", cwd=tmp_path, log=tmp_path / "log")
        assert list(folder.glob("lib/*/site-packages/bottle.py"))
        base = folder / "bin" / "python"


def test_a_second_call_starts_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    first = prepare_or_skip("19.6.0")

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    second = prepare_or_skip("19.6.0")

    assert not second.built
    assert replace(first, built=False) == second


def test_latest_is_not_the_newest_for_an_old_python() -> None:
    environment = prepare_or_skip("latest")

    assert int(environment.gunicorn_version.split(".")[0]) >= 27
    assert tuple(map(int, environment.python_version.split(".")[:2])) >= (3, 10)
    assert version_inside(environment) == environment.gunicorn_version


def test_no_such_release() -> None:
    with pytest.raises(UnrunnableError, match=r"gunicorn 99\.9 can't be installed: the package index has no such"):
        prepare_or_skip("99.9")


def test_a_python_that_does_not_do() -> None:
    with pytest.raises(UnrunnableError, match="getargspec"):
        prepare_or_skip("19.6.0", python=f"3.{max(11, sys.version_info.minor)}", era_shims=False)


def test_a_python_of_today_does_with_era_shims(tmp_path: Path) -> None:
    environment = prepare_or_skip("19.6.0", python=f"3.{max(11, sys.version_info.minor)}")
    again = prepare_or_skip("19.6.0", python=f"3.{max(11, sys.version_info.minor)}")

    assert {"collections-names", "inspect-getargspec", "asyncio-selectors"} <= set(environment.era_shims)
    assert replace(environment, built=False) == again
    era.plant(environment.era_shims, tmp_path / "era")
    import_worker = [str(environment.python), "-s", "-c", "import gunicorn.app.wsgiapp, gunicorn.workers.gthread"]
    without = subprocess.run(import_worker, capture_output=True, encoding="utf-8", check=False)
    shimmed = subprocess.run(
        import_worker,
        capture_output=True,
        encoding="utf-8",
        check=False,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "era")},
    )
    assert without.returncode != 0
    assert (shimmed.returncode, shimmed.stderr) == (0, "")


def test_a_checkout_that_lacks_what_was_dropped_is_tried_again_with_era_shims(tmp_path: Path) -> None:
    tree = make_checkout(tmp_path / "tree", version="23.0.1")
    (tree / "gunicorn" / "app" / "wsgiapp.py").write_text("import imp\n")

    with pytest.raises(UnrunnableError, match="the standard library no longer has imp"):
        prepare_or_skip(str(tree), python="3.12", era_shims=False)
    assert "imp-module" in prepare_or_skip(str(tree), python="3.12").era_shims


def test_a_checkout_is_only_read(tmp_path: Path) -> None:
    tree = make_checkout(tmp_path / "my 'tree'", version="23.0.1")
    (tree / ".gitignore").write_text("*.log\n")
    git(tree, "init", "-q")
    before = list_content(tree)

    environment = prepare_or_skip(str(tree))
    assert list_content(tree) == before

    (tree / "ignored.log").write_text("noise")
    again = prepare_or_skip(str(tree))

    assert environment.label.startswith("23.0.1-tree-")
    assert version_inside(environment) == "23.0.1"
    assert not again.built

    (tree / "gunicorn" / "new.py").write_text("")
    changed = prepare_or_skip(str(tree))
    assert changed.built
    assert changed.path != environment.path


def test_another_file_than_the_recorded_one_is_refused_before_anything_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECYCLE_HARNESS_CACHE", str(tmp_path))
    # Which one the app takes is a matter of the Python that is found here.
    known = {pin: ("0" * 64,) if pin.startswith("bottle==") else good for pin, good in hashes.load_hashes().items()}
    monkeypatch.setattr(hashes, "load_hashes", lambda: known)
    with pytest.raises(SurroundingsError, match="another file than the one that is recorded here"):
        prepare(parse_spec("19.6.0"), python=None, worker="gthread", say=lambda _line: None)
    assert [path for path in (tmp_path / "envs").iterdir() if path.is_dir()] == []


def test_git_revisions(tmp_path: Path) -> None:
    repository = make_checkout(tmp_path / "re po", version="23.0.1")
    git(repository, "init", "-q")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "one")
    git(repository, "tag", "one")
    make_checkout(repository, version="23.0.2")
    git(repository, "commit", "-qam", "two")
    make_checkout(repository, version="23.0.3")  # not committed: a revision must not see it
    commit = git(repository, "rev-parse", "one")

    first = prepare_or_skip(f"git+file://{repository}@one")
    second = prepare_or_skip(f"git+file://{repository}")

    assert (first.gunicorn_version, first.revision) == ("23.0.1", commit)
    assert first.label == f"23.0.1-git-{commit[:7]}"
    assert second.gunicorn_version == version_inside(second) == "23.0.2"
    assert git(repository, "status", "--porcelain") == "M gunicorn/__init__.py"

    with pytest.raises(UsageError, match="no commit 'nowhere'"):
        prepare_or_skip(f"git+file://{repository}@nowhere")


def test_a_checkout_that_does_not_import(tmp_path: Path) -> None:
    tree = make_checkout(tmp_path / "tree", version="23.0.1")
    (tree / "gunicorn" / "app" / "wsgiapp.py").write_text("def broken(:\n")

    with pytest.raises(UnrunnableError, match=r"can't be imported on Python .*: SyntaxError"):
        prepare_or_skip(str(tree))
    assert [stored.path for stored in list_environments() if not stored.whole] == []


def test_a_module_that_python_dropped_is_the_interpreters_fault(tmp_path: Path) -> None:
    tree = make_checkout(tmp_path / "tree", version="23.0.1")
    (tree / "gunicorn" / "app" / "wsgiapp.py").write_text("import asyncore\n")

    with pytest.raises(UnrunnableError, match="the standard library no longer has asyncore"):
        prepare_or_skip(str(tree), python="3.12")


def test_two_at_once_build_once(own_cache: Path) -> None:
    prepare_or_skip("latest").close()  # so that both find everything in uv's cache
    shutil.rmtree(own_cache)

    both = [start_prepare("23.0.0") for _ in range(2)]
    outputs = [process.communicate(timeout=60)[0] for process in both]

    assert [process.returncode for process in both] == [0, 0], outputs
    assert sorted(output.splitlines()[-1] for output in outputs) == ["built", "found"]
    assert len(list_environments()) == 1


def test_killed_in_mid_build(own_cache: Path) -> None:
    process = start_prepare("23.0.0")
    try:
        begun = wait_until(
            lambda: list(own_cache.glob(".building-*")), timeout_s=30, alive=lambda: process.poll() is None
        )
        os.kill(process.pid, signal.SIGKILL)
    finally:
        process.communicate(timeout=30)
    assert process.returncode == -signal.SIGKILL
    assert begun

    environment = prepare_or_skip("23.0.0")

    assert environment.built
    assert version_inside(environment) == "23.0.0"
    assert list(own_cache.glob(".building-*")) == []


@pytest.mark.parametrize("damage", ["python", "mark"])
def test_damaged_is_built_again(damage: str) -> None:
    environment = prepare_or_skip("23.0.0")
    environment.close()
    if damage == "python":
        environment.python.unlink()
        environment.python.symlink_to("/nowhere/python")
    else:
        (environment.path / "environment.json").write_text('{"schema": 1')
    assert [stored.path for stored in list_environments() if not stored.whole] == [environment.path]

    again = prepare_or_skip("23.0.0")

    assert again.built
    assert again.path == environment.path
    assert version_inside(again) == "23.0.0"


def test_cleaning_spares_what_is_in_use(own_cache: Path) -> None:
    environment = prepare_or_skip("23.0.0")
    leftover = own_cache / ".building-19.6.0-py3.6.15-0123456789ab-4711"
    (leftover / "lib").mkdir(parents=True)
    assert [stored.whole for stored in list_environments()] == [False, True]

    assert [removed.path for removed in remove_unused(only_leftovers=True)] == [leftover]
    assert remove_unused() == ()
    assert environment.python.exists()

    environment.close()
    assert remove_unused(only_leftovers=True) == ()
    removed = remove_unused()
    assert [one.path for one in removed] == [environment.path]
    assert removed[0].size_bytes > 0
    assert [path.name for path in own_cache.iterdir()] == ["uv.toml"]
