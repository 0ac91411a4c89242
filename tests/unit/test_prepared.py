"""What keeps an environment from being removed is given back by its owner, however the run ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.core import locks
from harness.core.errors import UnrunnableError, UsageError
from harness.core.model import Cell
from harness.engine.preparation import Prepared, prepare_run
from harness.engine.request import OwnSettings, RunRequest


class Environment:
    revision = None

    def __init__(self, lock: Path) -> None:
        self.lease = locks.take_shared(lock, on_wait=lambda: None)

    def close(self) -> None:
        self.lease.close()


def prepare_here(lock: Path, monkeypatch: pytest.MonkeyPatch) -> Prepared:
    def make(*_: Any, **__: Any) -> Environment:
        return Environment(lock)

    monkeypatch.setattr("harness.provision.environments.prepare", make)
    request = RunRequest(cell=Cell(spec="19.6.0"), out=lock.parent, load_named=True)
    return prepare_run(request, None, lambda _text: None)


def is_free(lock: Path) -> bool:
    lease = locks.try_exclusive(lock)
    if lease is not None:
        lease.close()
    return lease is not None


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), UnrunnableError(what="it died")])
def test_the_environment_is_kept_for_as_long_as_the_run_and_no_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    lock = tmp_path / "lock"

    def run() -> None:
        with prepare_here(lock, monkeypatch) as prepared:
            assert prepared.require()[0] is prepared.environment
            assert not is_free(lock)
            raise failure

    with pytest.raises(type(failure)):
        run()
    assert is_free(lock)
    with prepare_here(lock, monkeypatch):
        assert not is_free(lock)
    assert is_free(lock)


def test_where_there_is_no_environment_the_reason_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Environment:
        raise UnrunnableError(what="no Python will do")

    monkeypatch.setattr("harness.provision.environments.prepare", refuse)
    request = RunRequest(cell=Cell(spec="19.6.0"), out=tmp_path, load_named=True)
    prepared = prepare_run(request, None, lambda _text: None)
    with prepared, pytest.raises(UnrunnableError, match="no Python will do"):
        prepared.require()


def test_a_checkout_s_code_reads_no_settings_here_where_the_run_is_in_containers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(*_: Any, **__: Any) -> Environment:
        raise AssertionError("it would be built on this machine")

    monkeypatch.setattr("harness.provision.environments.prepare", build)
    (tmp_path / "gunicorn").mkdir()
    for name in ("setup.py", "conf.py", "gunicorn/__init__.py"):
        (tmp_path / name).touch()
    cell = Cell(spec=str(tmp_path), backend="docker")
    own = OwnSettings(said=str(tmp_path / "conf.py"))
    with pytest.raises(UsageError, match="runs nothing of"):
        prepare_run(RunRequest(cell=cell, out=tmp_path, own=own, load_named=True), None, lambda _text: None)
