"""The ladder back: each rung can heal a service and can fail to, and what was done stands in the record before."""

from __future__ import annotations

import signal
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.core.cell_fields import Cell
from harness.core.events.base import Event
from harness.core.events.doings import HarnessSignalled
from harness.core.events.recovery import RungBegan, RungEnded
from harness.engine.masters import Masters
from harness.engine.recovering import climb_ladder, is_down
from harness.engine.running_stack import Stack
from harness.engine.timings import TIMINGS
from harness.judge.recovery import is_healed

FAST = replace(
    TIMINGS,
    ladder_period_s=0.0005,
    ladder_wait_s=0.1,
    ladder_boot_s=0.1,
    ladder_boots=0,
    ladder_answers_s=0.1,
)
RUNGS = ("wait", "reload", "upgrade", "restart")


class Arbiter:
    """A process that ends by TERM and KILL, and whose service is healed by what ``heals`` says."""

    def __init__(self, service: Service, pid: int, *, deaf: bool = False) -> None:
        self.service, self.pid, self._deaf, self._status = service, pid, deaf, cast("int | None", None)

    def poll(self) -> int | None:
        return self._status

    def send(self, number: int) -> None:
        if number == signal.SIGKILL or (number == signal.SIGTERM and not self._deaf):
            self._status = -number if number == signal.SIGKILL else 0
        if number == signal.SIGHUP and self.service.healer == "reload":
            self.service.up = True
        if number == signal.SIGUSR2 and self.service.has_upgrade:
            self.service.say_new_master()

    def stop(self) -> int:
        self._status = -9
        return -9


class _Stack(SimpleNamespace):
    """As far as the ladder looks at one."""

    @property
    def gunicorn(self) -> Arbiter:
        return cast(Arbiter, self.masters.current)

    @property
    def arbiter_pid(self) -> int:
        return self.gunicorn.pid

    def signal_arbiter(self, number: int, reason: str) -> None:
        self.service.told.append(
            HarnessSignalled(who="arbiter", pid=self.arbiter_pid, signal=int(number), reason=reason)
        )
        self.gunicorn.send(number)


class Service:
    """A stack that stays down until the rung ``healer`` is climbed; None: for ever."""

    def __init__(self, folder: Path, healer: str | None, *, dead: bool = False, deaf: bool = False) -> None:
        self.healer, self.up, self.has_upgrade, self.asked = healer, False, True, 0
        self.told: list[Event] = []
        self.log = folder / "logs" / "gunicorn.error.log"
        self.log.parent.mkdir()
        self.log.write_text("")
        (folder / "config").mkdir()
        (folder / "config" / "config.py").write_text("graceful_timeout = 0\n")
        first = Arbiter(self, 10, deaf=deaf)
        self.processes = {10: first}
        self.orphans: dict[int, set[int]] = {}
        """What outlives an arbiter: to which signals each of these processes is deaf."""
        if dead:
            first.stop()
        sink = SimpleNamespace(emit=self.told.append, check=lambda: None)
        run = SimpleNamespace(
            folder=SimpleNamespace(config=folder / "config", logs=folder / "logs"),
            say=lambda _text: None,
            enter=lambda _name: None,
            closed=True,
        )
        self.stack = _Stack(
            service=self,
            cell=Cell(spec="1.0", recover=True),
            run=run,
            watchers=None,
            sink=sink,
            logs=folder / "logs",
            proxy=object(),
            progress=SimpleNamespace(recent={"proxy": [(1, False)] * 3, "direct": []}),
            masters=Masters(cast(Any, first)),
            timings=FAST,
            asked=None,
            client_address="",
            command=None,
            backend=self,
        )

    def open_client(self, _address: str, _asked: object) -> nullcontext[Service]:
        return nullcontext(self)

    def ask(self) -> str:
        self.asked += 1
        if self.healer == "wait":
            self.up = self.asked > 3
        return "200" if self.up else "502"

    def say_new_master(self) -> None:
        self.processes[20] = Arbiter(self, 20)
        self.log.write_text("[2026-01-01 00:00:00 +0000] [20] [INFO] Starting gunicorn 1.0\n")
        self.up = self.healer == "upgrade"

    def adopt(self, pid: int, _name: str) -> Arbiter:
        return self.processes[pid]

    def signal(self, pid: int, number: int) -> None:
        if pid in self.processes:
            self.processes[pid].send(number)
        elif number not in self.orphans[pid]:
            del self.orphans[pid]

    def list_relatives(self, master: Arbiter) -> list[int]:
        return list(self.orphans) if master.pid == 10 else []

    def spawn(self, _command: object) -> Arbiter:
        assert not self.orphans
        self.up = self.healer == "restart"
        return Arbiter(self, 30)

    def climb(self) -> list[tuple[str, bool]]:
        climb_ladder(cast(Stack, self.stack))
        return [(one.name, is_healed(one.answers)) for one in self.told if isinstance(one, RungEnded)]

    @property
    def signals(self) -> list[int]:
        return [one.signal for one in self.told if isinstance(one, HarnessSignalled)]


@pytest.mark.parametrize("healer", [*RUNGS, None])
def test_it_ends_at_the_rung_that_heals_and_all_before_it_fail(tmp_path: Path, healer: str | None) -> None:
    service = Service(tmp_path, healer)
    tried = RUNGS if healer is None else RUNGS[: RUNGS.index(healer) + 1]
    assert service.climb() == [(name, name == healer) for name in tried]
    assert [one.name for one in service.told if isinstance(one, RungBegan)] == list(tried)


def test_nothing_is_done_to_a_service_that_answers(tmp_path: Path) -> None:
    service = Service(tmp_path, "reload")
    service.stack.progress.recent["proxy"].append((2, True))
    assert not is_down(cast(Stack, service.stack))
    assert service.climb() == []
    assert service.told == []


def test_nothing_is_done_that_nobody_asked_for(tmp_path: Path) -> None:
    service = Service(tmp_path, "reload")
    service.stack.cell = Cell(spec="1.0")
    assert service.climb() == []


def test_an_arbiter_that_has_ended_can_only_be_started_anew(tmp_path: Path) -> None:
    service = Service(tmp_path, "restart", dead=True)
    assert service.climb() == [("wait", False), ("reload", False), ("upgrade", False), ("restart", True)]
    skipped = [one.name for one in service.told if isinstance(one, RungEnded) and one.skipped is not None]
    assert skipped == ["reload", "upgrade"]
    assert service.signals == []


def test_an_upgrade_tells_the_old_master_to_go_and_goes_on_with_the_new_one(tmp_path: Path) -> None:
    service = Service(tmp_path, "upgrade")
    service.climb()
    assert service.signals == [signal.SIGHUP, signal.SIGUSR2, signal.SIGTERM]
    assert service.stack.arbiter_pid == 20


def test_a_release_that_does_not_upgrade_is_restarted(tmp_path: Path) -> None:
    service = Service(tmp_path, "restart")
    service.has_upgrade = False
    assert service.climb()[-1] == ("restart", True)
    ended = {one.name: one.detail for one in service.told if isinstance(one, RungEnded)}
    assert ended["upgrade"] == "no new master came"
    assert ended["restart"] == "the arbiter ended with status 0"


@pytest.mark.parametrize("dead", [True, False])
def test_what_outlives_its_arbiter_has_ended_before_the_next_one_starts(tmp_path: Path, *, dead: bool) -> None:
    """A late worker of 19.6.0 removed the path that the next arbiter had just bound."""
    service = Service(tmp_path, "restart", dead=dead)
    service.orphans = {41: set(), 42: {int(signal.SIGTERM)}}
    assert service.climb()[-1] == ("restart", True)
    to_rest = [(one.pid, one.signal) for one in service.told if isinstance(one, HarnessSignalled) and one.pid > 40]
    assert to_rest == [(41, signal.SIGTERM), (42, signal.SIGTERM), (42, signal.SIGKILL)]
    ended = {one.name: one.detail for one in service.told if isinstance(one, RungEnded)}
    assert (ended["restart"] or "").endswith("2 processes outlived it and were ended")


def test_an_arbiter_that_does_not_stop_is_killed(tmp_path: Path) -> None:
    service = Service(tmp_path, "restart", deaf=True)
    service.has_upgrade = False
    service.climb()
    assert service.signals[-2:] == [signal.SIGTERM, signal.SIGKILL]
    assert service.stack.masters.recovered
