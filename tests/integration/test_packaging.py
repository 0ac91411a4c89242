"""The package as its users get it: built, installed into an empty environment, and used outside any checkout."""

from __future__ import annotations

import email
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness import __version__
from tests.integration.stubs import needs_tools

ROOT = Path(__file__).resolve().parents[2]
UV = Path(sys.executable).with_name("uv")
RECORD = ROOT / "tests" / "records" / "gthread-19.6.0-caddy.zip"
NEEDED = ("pyproject.toml", "README.md", "LICENSE", "harness", "fixtures", "docker")
SMALL = shlex.split(
    "--workers 1 --threads 2 --max-requests 5 --connections 4 --load-threads 2 --recycles 2 --duration 5"
)


def call(argv: Sequence[str | Path], folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv, cwd=folder, env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What a release would publish."""

    wheel: Path
    sdist: Path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Built with the locked hatchling, so that nothing is downloaded."""
    out = tmp_path_factory.mktemp("dist")
    done = call(
        [UV, "build", "--offline", "--no-build-isolation", "--python", sys.executable, "--out-dir", out, ROOT], out
    )
    assert done.returncode == 0, done.stderr
    (wheel,), (sdist,) = out.glob("*.whl"), out.glob("*.tar.gz")
    return Built(wheel=wheel, sdist=sdist)


@pytest.fixture(scope="module")
def installed(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The ``bin`` of an environment that has the wheel and what it requires, and nothing else."""
    folder = tmp_path_factory.mktemp("installed")
    done = call([UV, "venv", "--quiet", "--python", sys.executable, "env"], folder)
    assert done.returncode == 0, done.stderr
    bin_folder = folder / "env" / "bin"
    done = call([UV, "pip", "install", "--quiet", "--python", bin_folder / "python", built.wheel], folder)
    if done.returncode != 0:
        pytest.skip(f"what the wheel requires can't be installed here: {done.stderr.strip().splitlines()[-1]}")
    yield bin_folder
    shutil.rmtree(folder)


def use(installed: Path, folder: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    """A command of the installed package, from a folder that has nothing to do with the checkout."""
    return call([installed / argv[0], *argv[1:]], folder, PYTHONPATH="", VIRTUAL_ENV="")


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_sdist_builds_the_same_wheel_as_the_checkout(built: Built, tmp_path: Path) -> None:
    with tarfile.open(built.sdist) as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.11 has it from 3.11.4 on
        archive.extractall(tmp_path)  # noqa: S202 - an archive that was made just now
    (unpacked,) = tmp_path.iterdir()
    tree = tmp_path / "tree"
    tree.mkdir()
    for name in NEEDED:
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tree / name)
    for place in (unpacked, tree):
        done = call(
            [
                UV,
                "build",
                "--offline",
                "--no-build-isolation",
                "--wheel",
                "--python",
                sys.executable,
                "-o",
                "dist",
                ".",
            ],
            place,
        )
        assert done.returncode == 0, done.stderr
    wheels = [contents(next((place / "dist").glob("*.whl"))) for place in (unpacked, tree)]
    assert wheels[0] == wheels[1] == contents(built.wheel)


def test_the_wheel_has_all_that_the_checkout_has_for_its_commands(built: Built) -> None:
    packed = set(contents(built.wheel))
    listed = call(["git", "ls-files", "harness", "fixtures", "docker"], ROOT)
    if listed.returncode != 0:
        pytest.skip("this is no checkout: git lists no files")
    names = {name if name.startswith("harness/") else f"harness/{name}" for name in listed.stdout.split()}
    assert names - packed == set()
    assert "harness/py.typed" in packed


def test_the_metadata_say_what_it_is(built: Built) -> None:
    (name,) = (name for name in contents(built.wheel) if name.endswith("METADATA"))
    said = email.message_from_bytes(contents(built.wheel)[name])
    assert said["Version"] == __version__
    assert {"docker", "pytest", "pictures", "completion"} == set(said.get_all("Provides-Extra") or ())
    assert {line.split(",")[0] for line in said.get_all("Project-URL") or ()} >= {"Homepage", "Changelog", "Issues"}
    assert "Typing :: Typed" in (said.get_all("Classifier") or ())
    relative = re.findall(r"\]\((?!https?://|#)[^)]*\)", str(said.get_payload()))
    assert relative == [], "a link of the README that leads nowhere on the package's page"


@pytest.mark.parametrize("name", ["harness", "recycle-harness"])
def test_both_scripts_answer_under_their_name(installed: Path, tmp_path: Path, name: str) -> None:
    assert use(installed, tmp_path, name, "--version").stdout == f"recycle-harness {__version__}\n"
    assert use(installed, tmp_path, name, "--help").stdout.startswith(f"usage: {name} ")


def test_uvx_runs_the_wheel(built: Built, installed: Path, tmp_path: Path) -> None:
    assert installed.exists()  # what it requires can be had here
    done = call([UV, "tool", "run", "--from", built.wheel, "recycle-harness", "--version"], tmp_path, VIRTUAL_ENV="")
    assert done.stdout == f"recycle-harness {__version__}\n", done.stderr


@needs_tools
def test_a_run_and_its_reports_need_no_checkout(installed: Path, tmp_path: Path) -> None:
    done = use(installed, tmp_path, "recycle-harness", "reproduce", "19.6.0", *SMALL, "--expect", "socket-deleted")
    assert done.returncode == 0, done.stdout + done.stderr
    assert str(ROOT) not in done.stdout
    for argv in (["judge", "runs/latest"], ["report", "runs/latest", "--format", "md"], ["bundle", "runs/latest"]):
        done = use(installed, tmp_path, "recycle-harness", *argv)
        assert done.returncode == 0, done.stderr
    (tmp_path / "gunicorn.conf.py").write_text(
        "worker_class = 'gthread'\nthreads = 4\nmax_requests = 100\nbind = 'unix:/run/app.sock'\n"
    )
    advised = use(installed, tmp_path, "recycle-harness", "advise", "--release", "19.6.0")
    assert advised.returncode == 0, advised.stderr
    assert "socket-deleted" in advised.stdout


@pytest.mark.parametrize(
    ("extra", "argv"),
    [
        ("completion", ["completion", "bash"]),
        ("docker", ["reproduce", "19.6.0", "--backend", "docker"]),
        ("pictures", ["report", str(RECORD), "--format", "svg"]),
    ],
)
def test_a_missing_extra_is_named(installed: Path, tmp_path: Path, extra: str, argv: list[str]) -> None:
    done = use(installed, tmp_path, "harness", *argv)
    assert done.returncode == 4, done.stdout + done.stderr
    assert f"pip install 'recycle-harness[{extra}]'" in done.stdout + done.stderr
