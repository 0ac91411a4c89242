"""Signals are kept until the command looks, raised once, and never lost."""

from __future__ import annotations

import importlib
import signal
import sys
import threading
import time
from pathlib import Path
from typing import NoReturn

import pytest

from harness.cli import main, start
from harness.core import locks, signals, startup, streams
from harness.core.clock import wait_until


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_waits_until_somebody_looks_and_is_raised_once(number: signal.Signals) -> None:
    signals.hear_signals()
    assert not signals.was_heard()
    for _ in range(5):
        signal.raise_signal(number)
    with pytest.raises(KeyboardInterrupt):
        signals.check()
    signals.check()
    signal.raise_signal(number)
    signals.check()
    assert signals.was_heard()


def test_what_was_raised_rings_no_alarm_afterwards() -> None:
    """Python gives up its handlers before it ends: an alarm then kills the process, and its exit code is lost."""
    signals.hear_signals(grace_s=60)
    signal.raise_signal(signal.SIGTERM)
    assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
    with pytest.raises(KeyboardInterrupt):
        signals.check()
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_whoever_blocks_is_interrupted_after_a_moment() -> None:
    signals.hear_signals(grace_s=0.05)
    signal.raise_signal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        time.sleep(5)


def test_nothing_is_raised_inside_a_shield_however_long_it_takes() -> None:
    signals.hear_signals(grace_s=0.01)
    with signals.shielded(), signals.shielded():
        signal.raise_signal(signal.SIGTERM)
        signals.pause(0.1)
        stored = True
    with pytest.raises(KeyboardInterrupt):
        time.sleep(5)
    assert stored


def test_a_late_signal_waits_for_the_end_of_an_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the midst of one, Python may lose the exception, and the lock that other threads wait for."""
    text = "import signal, time\nsignal.raise_signal(signal.SIGTERM)\ntime.sleep(0.1)\nwhole = True\n"
    (tmp_path / "imported_slowly.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    signals.hear_signals(grace_s=0.01)
    with pytest.raises(KeyboardInterrupt):
        _import_and_wait("imported_slowly")
    assert sys.modules.pop("imported_slowly").whole


def _import_and_wait(name: str) -> None:
    importlib.import_module(name)
    time.sleep(5)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_where_nobody_listens_a_shield_delivers_at_its_end(number: signal.Signals) -> None:
    """Under pytest, whose own handlers stay."""
    heard = []
    signal.signal(number, lambda *_: heard.append(number))
    with signals.shielded():
        signal.raise_signal(number)
        signal.raise_signal(number)
        assert heard == []
    assert heard == [number]


def test_another_thread_is_never_interrupted() -> None:
    signals.hear_signals()
    signal.raise_signal(signal.SIGTERM)
    seen = []

    def look() -> None:
        signals.check()
        seen.append("went on")

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == ["went on"]


def test_a_wait_ends_at_a_signal() -> None:
    signals.hear_signals()
    with pytest.raises(KeyboardInterrupt):
        wait_until(lambda: signal.raise_signal(signal.SIGTERM), timeout_s=5, alive=lambda: True)


def test_so_does_the_wait_for_a_lock_which_is_not_taken_then(tmp_path: Path) -> None:
    signals.hear_signals()
    held = locks.try_exclusive(tmp_path / "lock")
    assert held is not None
    with pytest.raises(KeyboardInterrupt):
        locks.take_exclusive(tmp_path / "lock", on_wait=lambda: signal.raise_signal(signal.SIGTERM))
    held.close()
    free = locks.try_exclusive(tmp_path / "lock")
    assert free is not None
    free.close()


def test_one_that_comes_when_the_command_has_looked_for_the_last_time_is_not_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def end(code: int) -> NoReturn:
        raise SystemExit(code)

    def command() -> int:
        signal.raise_signal(signal.SIGTERM)
        return 0

    monkeypatch.setattr(streams, "prepare_streams", lambda: None)
    monkeypatch.setattr(startup, "end_at_once", end)
    monkeypatch.setattr(main, "main", command)
    with pytest.raises(SystemExit) as ended:
        start.run()
    assert ended.value.code == 130
