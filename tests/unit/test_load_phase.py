"""How long a service is waited for before and after the load, and when the load has shown enough."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.core.clock import now_ns
from harness.core.events.clients import Probe
from harness.core.events.servers import ArbiterExited
from harness.core.model import Cell
from harness.engine.load_phase import is_enough
from harness.engine.readiness import await_gunicorn, await_proxy
from harness.engine.running_stack import Stack
from harness.engine.settling import settle
from harness.engine.stops import StopWatch
from harness.engine.timings import Timings
from harness.stack.asked import ASKED
from harness.watch.progress import Progress


def _settle_s(
    boot_s: float, timings: Timings, progress: Progress | None = None, hurry: Callable[[], None] = lambda: None
) -> float:
    """How long a service that does not come back is waited for; ``hurry``: what the prober does on its call."""
    stack = SimpleNamespace(
        cell=Cell(spec="1.0"),
        proxy=None,
        gunicorn=SimpleNamespace(pid=1, poll=lambda: None, is_stopped=lambda with_children: with_children),
        progress=progress or Progress(),
        sink=SimpleNamespace(check=lambda: None),
        run=SimpleNamespace(say=lambda _text: None),
        timings=timings,
        stops=StopWatch(),
        watchers=SimpleNamespace(hurry_probes=hurry),
    )
    begin_ns = now_ns()
    settle(cast(Stack, stack), boot_s=boot_s)
    return (now_ns() - begin_ns) / 1e9


def test_a_service_may_take_the_boot_time_of_its_app_to_come_back() -> None:
    timings = Timings(settle_s=0.05, settle_boots=2)
    assert _settle_s(0.0, timings) >= 0.05
    assert _settle_s(0.2, timings) >= 0.05 + 2 * 0.2


def test_the_probes_that_begin_with_the_phase_count() -> None:
    progress = Progress()
    progress.hear(ArbiterExited(pid=1, status=3))

    def probe() -> None:
        for number in range(3):
            progress.hear(Probe(at_ns=now_ns(), via="direct", outcome="refused", took_ns=1, id=f"d{number}"))

    assert _settle_s(0.0, Timings(settle_s=5.0), progress, probe) < 5.0


def test_requests_that_were_given_up_while_gunicorn_booted_are_counted() -> None:
    answers = iter(["refused", "timeout", "closed", "timeout", "200"])
    client = SimpleNamespace(ask=lambda: next(answers))
    stack = SimpleNamespace(
        cell=Cell(spec="1.0", proxy="none", bind="tcp"),
        proxy=None,
        address="127.0.0.1:1",
        asked=ASKED,
        backend=SimpleNamespace(open_client=lambda _address, _asked: nullcontext(client)),
        gunicorn=SimpleNamespace(poll=lambda: None),
        progress=Progress(),
        timings=Timings(),
    )
    assert await_gunicorn(cast(Stack, stack)) == 2
    assert await_proxy(cast(Stack, stack)) == 0


@pytest.mark.parametrize("full_duration", [False, True])
@pytest.mark.parametrize("asked", [None, False, True])
@pytest.mark.parametrize("complete", [False, True])
@pytest.mark.parametrize("down", [False, True])
def test_when_the_load_has_shown_enough(full_duration: bool, asked: bool | None, complete: bool, down: bool) -> None:
    """What was asked for decides first; a full duration is cut by nothing else; it stands in for completeness."""
    enough: Callable[[Any], bool] | None = None if asked is None else lambda _progress: bool(asked)
    stack = SimpleNamespace(
        cell=Cell(spec="1.0", full_duration=full_duration),
        progress=Progress(),
        run=SimpleNamespace(request=SimpleNamespace(enough=enough)),
    )
    course = SimpleNamespace(is_complete=lambda: complete, is_down_for_good=lambda: down)
    expected = bool(asked) or (not full_duration and (down or (asked is None and complete)))
    assert is_enough(cast(Stack, stack), cast(Any, course)) is expected
