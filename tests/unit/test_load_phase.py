"""How long a service is waited for, before and after the load."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.core.clock import now_ns
from harness.core.model import Cell
from harness.engine import load_phase, readiness
from harness.watch.progress import Progress


def _settle_s(boot_s: float) -> float:
    """How long a service that does not come back is waited for."""
    stage = SimpleNamespace(cell=Cell(spec="1.0"), proxy=None, gunicorn=SimpleNamespace(pid=1, poll=lambda: None))
    moving = load_phase.Drive(
        stage=cast(Any, stage),
        progress=Progress(),
        sink=cast(Any, SimpleNamespace(check=lambda: None)),
        say=lambda _text: None,
        tool=cast(Any, None),
        pause_probes=lambda _way, _pause_s: None,
        boot_s=boot_s,
    )
    begin_ns = now_ns()
    load_phase.settle(moving)
    return (now_ns() - begin_ns) / 1e9


def test_a_service_may_take_the_boot_time_of_its_app_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_phase, "SETTLE_S", 0.05)
    assert _settle_s(0.0) >= 0.05
    assert _settle_s(0.2) >= 0.05 + load_phase.BOOTS * 0.2


def test_requests_that_were_given_up_while_gunicorn_booted_are_counted() -> None:
    answers = iter(["refused", "timeout", "closed", "timeout", "200"])
    client = SimpleNamespace(ask=lambda: next(answers))
    stage = SimpleNamespace(
        cell=Cell(spec="1.0", proxy="none", bind="tcp"),
        proxy=None,
        address="127.0.0.1:1",
        backend=SimpleNamespace(open_client=lambda _address: nullcontext(client)),
        gunicorn=SimpleNamespace(poll=lambda: None),
    )
    assert readiness.await_gunicorn(cast(Any, stage), Progress()) == 2
    assert readiness.await_proxy(cast(Any, stage), Progress()) == 0
