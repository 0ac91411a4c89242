from __future__ import annotations

import os

import pytest

from harness.watch.machine import Usage, foreign_share


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
