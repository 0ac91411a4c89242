from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from harness.core.errors import UsageError
from harness.core.model import Cell
from harness.disturb import DISTURBANCES, RECYCLE, inherits_listener
from harness.records.stored import StoredRun
from harness.report.as_script import render_script

RecordRun = Callable[..., StoredRun]


def test_the_runs_own_paths_and_ports_are_gone(record_run: RecordRun) -> None:
    run = record_run()
    script = render_script(run.cell, run.facts, run.path / "config")
    for gone in ("rh-xyz", "/srv/runs", "45672", "%%"):
        assert gone not in script
    assert "bind = 'unix:@SOCKET@'" in script
    assert "accesslog = '-'" in script
    assert "port: @PORT@" in script
    assert "http://[unix:@SOCKET@]/" in script
    assert "PORT=${PORT:-18080}" in script
    assert "\nbottle==0.12.13\ngunicorn==19.6.0\nsetuptools==59.6.0\n" in script


@pytest.mark.parametrize("control", [(0, 20), (512, 20), (10, 7), (1, 0)])
def test_control_requests_do_not_recycle(record_run: RecordRun, control: tuple[int, int]) -> None:
    run = record_run()
    script = render_script(replace(run.cell, max_requests=control[0]), run.facts, run.path / "config")
    assert f"\nCONTROL={control[1]} " in script


def test_nothing_to_repeat_is_said(record_run: RecordRun) -> None:
    run = record_run()
    with pytest.raises(UsageError, match="before the environment was built"):
        render_script(run.cell, {"python": {"version": "3.6.15"}}, run.path / "config")
    with pytest.raises(UsageError, match="proxy 'other'"):
        render_script(replace(run.cell, proxy="other"), run.facts, run.path / "config")
    (run.path / "config" / "config.py").unlink()
    with pytest.raises(UsageError, match=r"before config\.py was written"):
        render_script(Cell(spec="19.6.0"), run.facts, run.path / "config")


ORDINARY = [name for name in DISTURBANCES if name != RECYCLE and not inherits_listener((name,))]


@pytest.mark.parametrize("name", ORDINARY)
def test_a_disturbance_is_repeated_with_plain_commands(record_run: RecordRun, name: str) -> None:
    run = record_run()
    script = render_script(replace(run.cell, disturb=name, times=2), run.facts, run.path / "config")
    assert f"\nfor disturbance in {name} {name}; do\n" in script
    assert f"\n        {name})\n" in script, "it does not know this one"


def test_a_script_without_disturbances_has_nothing_of_them(record_run: RecordRun) -> None:
    run = record_run()
    script = render_script(run.cell, run.facts, run.path / "config")
    assert "disturb" not in script


@pytest.mark.parametrize(("name", "strict"), [("reload", True), ("stop", False), ("reload,stop", False)])
def test_a_lost_request_is_a_fault_where_nothing_may_be_lost(record_run: RecordRun, name: str, strict: bool) -> None:
    run = record_run()
    script = render_script(replace(run.cell, disturb=name), run.facts, run.path / "config")
    assert ("though nothing may be lost" in script) is strict


def test_a_listener_that_is_handed_over_has_no_script(record_run: RecordRun) -> None:
    run = record_run()
    with pytest.raises(UsageError, match="socket-activation"):
        render_script(replace(run.cell, disturb="socket-activation"), run.facts, run.path / "config")
