from __future__ import annotations

import os
import subprocess
import sys

import pytest

from harness.watch.machine import Usage, foreign_share, read_usage

SPIN = "import time; end = time.process_time() + 0.3\nwhile time.process_time() < end: pass"


@pytest.mark.parametrize(
    ("busy_s", "own_s", "share"), [(1.0, 1.0, 0.0), (2.0, 1.0, 1.0), (1.5, 1.0, 0.5), (0.9, 1.0, 0.0)]
)
def test_what_others_used_is_what_is_left(
    busy_s: float, own_s: float, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    before = Usage(at_ns=0, busy_s=10.0, own_s=5.0)
    after = Usage(at_ns=1_000_000_000, busy_s=10.0 + busy_s, own_s=5.0 + own_s)
    assert foreign_share(before, after) == pytest.approx(share)


def test_no_time_no_share() -> None:
    usage = Usage(at_ns=5, busy_s=1.0, own_s=1.0)
    assert foreign_share(usage, usage) == 0.0


def test_a_child_counts_as_ours_while_it_lives_and_when_it_has_ended() -> None:
    before = read_usage([])
    with subprocess.Popen([sys.executable, "-c", f"{SPIN}\ninput()"], stdin=subprocess.PIPE) as child:
        assert child.stdin is not None
        while read_usage([child.pid]).own_s - before.own_s < 0.3:
            assert child.poll() is None
        child.stdin.close()
    assert read_usage([]).own_s - before.own_s >= 0.3


def test_a_process_that_is_gone_used_nothing_more() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert read_usage([gone.pid]).busy_s > 0
