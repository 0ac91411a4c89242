"""kill -9 of any command: nothing goes on running, and no temporary file is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.core.clock import wait_until
from harness.core.keeping import Keeper
from tests.attacks.attempt import Place, a_place
from tests.integration.stubs import make_wheel, needs_tools

SLEEPER = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
time.sleep(60)
"""
"""A build back end that takes long and has started something in a session of its own."""


@pytest.fixture
def place() -> Iterator[Place]:
    with a_place() as made:
        yield made


def _make_slow_sdist(folder: Path) -> Path:
    tree = folder / "checkout"
    (tree / "gunicorn").mkdir(parents=True)
    (tree / "gunicorn" / "__init__.py").write_text('__version__ = "99.0"\n')
    (tree / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "slow"\nbackend-path = ["."]\n'
        '[project]\nname = "gunicorn"\nversion = "99.0"\n'
    )
    (tree / "slow.py").write_text(SLEEPER)
    return tree


def test_killed_while_an_environment_is_built(place: Place) -> None:
    more = {"RECYCLE_HARNESS_CACHE": str(place.root / "cache")}
    running = place.start("reproduce", _make_slow_sdist(place.root), "--python", sys.executable, more=more)

    def builds() -> bool:
        return any("time.sleep(60)" in line for line in place.processes().values())

    assert wait_until(builds, timeout_s=30, alive=lambda: running.poll() is None), running.communicate()
    running.kill()
    running.communicate()
    assert place.leftovers() == []
    cleaned = place.run("clean", more=more)
    assert (cleaned.code, "Traceback" in cleaned.err) == (0, False)


def test_interrupted_while_an_environment_is_built(place: Place) -> None:
    more = {"RECYCLE_HARNESS_CACHE": str(place.root / "cache")}
    running = place.start("reproduce", _make_slow_sdist(place.root), "--python", sys.executable, more=more)
    assert wait_until(
        lambda: any("time.sleep(60)" in line for line in place.processes().values()),
        timeout_s=30,
        alive=lambda: running.poll() is None,
    )
    running.send_signal(signal.SIGTERM)
    _, errors = running.communicate(timeout=10)
    assert running.returncode == 130, errors
    assert place.leftovers() == []


@needs_tools
def test_killed_in_a_matrix(place: Place) -> None:
    wheel = make_wheel(place.root, "good")
    arguments = ("matrix", "--versions", wheel, "--workers", "sync", "--out", place.out)
    running = place.start(*arguments)
    begun = wait_until(
        lambda: list(place.out.rglob("events.jsonl")), timeout_s=40, alive=lambda: running.poll() is None
    )
    assert begun, running.communicate()
    running.kill()
    running.communicate()
    assert place.leftovers() == []


def test_killed_while_it_writes_an_attachment(place: Place) -> None:
    """As ``bundle`` does it; the file is as large as it likes, and the kill comes at a known moment."""
    script = (
        "import sys, time; from pathlib import Path; from harness.core.files import replacing_file\n"
        "from harness.core.keeping import Keeper\n"
        "keeper = Keeper('bundle', what='bundle')\n"
        "with replacing_file(Path(sys.argv[1]), adopt=keeper.adopt) as stream:\n"
        "    print('begun', flush=True); time.sleep(60)\n"
    )
    target = place.root / "new\nline.zip"
    argv = [sys.executable, "-c", script, str(target)]
    with subprocess.Popen(argv, env=place.environ(), stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"begun\n"
        assert list(place.root.glob(".new*"))
        running.kill()
    assert wait_until(lambda: not list(place.root.glob(".new*")), timeout_s=10, alive=lambda: True)
    assert place.leftovers() == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_ended_while_it_reads_an_attachment(place: Place, number: signal.Signals) -> None:
    """A record with a FIFO would wait, so a large one is made that takes a while to unpack."""
    zipped = place.root / "large.zip"
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("run/SHA256SUMS", f"{'0' * 64}  logs/x\n")
        archive.writestr("run/logs/x", os.urandom(1 << 20) * 24)
    running = place.start("judge", zipped)
    unpacks = wait_until(lambda: list(place.temporary.iterdir()), timeout_s=20, alive=lambda: running.poll() is None)
    running.send_signal(number)
    running.communicate(timeout=20)
    assert unpacks
    assert place.leftovers() == []


def test_killed_while_it_reads_settings(place: Place) -> None:
    settings = place.root / "settings.py"
    settings.write_text("import time; time.sleep(60)\n")
    running = place.start("reproduce", "23.0.0", "--settings", settings, "--out", place.out)

    def reads() -> bool:
        return any("reading.py" in line for line in place.processes().values())

    assert wait_until(reads, timeout_s=30, alive=lambda: running.poll() is None), running.communicate()
    running.kill()
    running.communicate()
    assert place.leftovers() == []


def test_uv_leaves_its_locks_in_a_folder_of_ours(place: Place) -> None:
    more = {"RECYCLE_HARNESS_CACHE": str(place.root / "cache")}
    done = place.run("reproduce", "19.6.0", "--python", "/nonexistent", more=more)
    assert done.code == 2
    script = (
        "from pathlib import Path; from harness.provision import installer as i; import sys; "
        "i.run_uv(['venv', '--python', sys.executable, sys.argv[1]], Path(sys.argv[1]).parent)"
    )
    subprocess.run(
        [sys.executable, "-c", script, str(place.root / "env")], env=place.environ(more), check=True, cwd=place.root
    )
    assert place.leftovers() == []


def test_a_keeper_that_is_closed_leaves_nothing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECYCLE_HARNESS_CACHE", str(place.root / "cache"))
    keeper = Keeper("test", what="test")
    (place.root / "file").touch()
    keeper.adopt(place.root / "file")
    keeper.close()
    keeper.close()
    assert not (place.root / "file").exists()
    assert list((place.root / "cache" / "active").iterdir()) == []
