from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from harness.core.errors import UsageError
from harness.core.model import Cell
from harness.provision import era
from harness.records.stored import StoredRun
from harness.report.as_script import render_script

RecordRun = Callable[..., StoredRun]


def parses(script: str, tmp_path: Path) -> bool:
    path = tmp_path / "reproduce.sh"
    path.write_text(script, encoding="utf-8")
    return subprocess.run(["sh", "-n", str(path)], check=False).returncode == 0  # noqa: S607 - whatever sh is here


def test_the_runs_own_paths_and_ports_are_gone(record_run: RecordRun, tmp_path: Path) -> None:
    run = record_run()
    script = render_script(run.cell, run.facts, run.path / "config")
    assert parses(script, tmp_path)
    for gone in ("rh-xyz", "/srv/runs", "45672", "%%"):
        assert gone not in script
    assert "bind = 'unix:@SOCKET@'" in script
    assert "accesslog = '-'" in script
    assert "port: @PORT@" in script
    assert "http://[unix:@SOCKET@]/" in script
    assert "PORT=${PORT:-18080}" in script
    assert "\nbottle==0.12.13\ngunicorn==19.6.0\nsetuptools==59.6.0\n" in script


def test_tcp_and_no_proxy(record_run: RecordRun, tmp_path: Path) -> None:
    run = record_run(
        config={
            "web.py": "app = None",
            "config.py": "bind = '127.0.0.1:4567'\n",
            "h2o.conf": "listen:\n  port: 45672\n  x: http://127.0.0.1:4567/\n",
        }
    )
    script = render_script(replace(run.cell, bind="tcp"), run.facts, run.path / "config")
    assert parses(script, tmp_path)
    assert "bind = '127.0.0.1:@BACKEND_PORT@'" in script
    assert "http://127.0.0.1:@BACKEND_PORT@/" in script
    bare = render_script(replace(run.cell, bind="tcp", proxy="none"), run.facts, run.path / "config")
    assert parses(bare, tmp_path)
    assert "h2o.conf" not in re.sub(r"#.*", "", bare)


def test_what_comes_from_the_record_is_data(record_run: RecordRun, tmp_path: Path) -> None:
    evil = "$(touch owned)`touch owned`'\";touch owned\n"
    gunicorn = {
        "version": evil,
        "spec": "19.6.0",
        "freeze": [f"--find-links={evil}", "gunicorn==19.6.0", "x==1; touch"],
    }
    run = record_run(
        facts={"gunicorn": gunicorn, "python": {"version": "3.6.15" + evil}},
        config={
            "web.py": f"END_0\nEND_1\ntouch owned\n{evil}",
            "config.py": "bind = 'unix:/tmp/a/s.sock'\n",
            "h2o.conf": "port: 1",
        },
    )
    cell = replace(run.cell, app=None, bind="unix")
    script = render_script(cell, run.facts, run.path / "config")
    assert parses(script, tmp_path)
    harmless = (
        script[: script.index("# --- the run")] + "\nDIR='' SOCKET=s BACKEND_PORT=1; write_files; DIR=''\nexit 0\n"
    )
    (tmp_path / "part").mkdir()
    (tmp_path / "part.sh").write_text(harmless, encoding="utf-8")
    subprocess.run(["sh", "../part.sh"], cwd=tmp_path / "part", check=False, env={"PATH": "/usr/bin:/bin"})  # noqa: S607
    assert "END_0\nEND_1\ntouch owned\n$(touch owned)" in (tmp_path / "part" / "web.py").read_text()
    assert sorted(path.name for path in (tmp_path / "part").iterdir()) == [
        "config.py",
        "h2o.conf",
        "stop.lua",
        "web.py",
    ]
    assert "--find-links" not in "".join(line for line in script.splitlines() if not line.startswith("#"))


def test_what_puts_back_what_left_python_is_brought_along(record_run: RecordRun, tmp_path: Path) -> None:
    run = record_run()
    assert "era/" not in render_script(run.cell, run.facts, run.path / "config")
    era.plant(["imp-module", "cgi-escape"], run.path / "config" / "era")
    (run.path / "config" / "era" / "$(touch owned).py").touch()

    script = render_script(run.cell, run.facts, run.path / "config")

    assert parses(script, tmp_path)
    assert 'PYTHONPATH="$PWD/era" venv/bin/python' in script
    assert "owned" not in script
    start = script.index("write_files() {")
    (tmp_path / "part.sh").write_text(
        "DIR='' SOCKET=s PORT=1 BACKEND_PORT=1\n"
        + script[start : script.index("install_packages() {")]
        + "write_files\n"
    )
    for _ in range(2):
        subprocess.run(["sh", "part.sh"], cwd=tmp_path, check=True)  # noqa: S607 - whatever sh is here
        written = {path.name: path.read_text() for path in (tmp_path / "era").iterdir()}
        assert written.keys() == {"sitecustomize.py", "imp_module.py", "cgi_escape.py"}
        assert written["imp_module.py"] == era.shim_file("imp-module").read_text()


def test_a_source_tree_is_asked_for(record_run: RecordRun, tmp_path: Path) -> None:
    freeze = ["bottle==0.12.13", "gunicorn @ file:///home/alice/gunicorn"]
    run = record_run(facts={"gunicorn": {"version": "27.1.0", "spec": "/home/alice/gunicorn", "freeze": freeze}})
    script = render_script(run.cell, run.facts, run.path / "config")
    assert "FROM_SOURCE=yes" in script
    assert "alice" not in script
    script_path = tmp_path / "reproduce.sh"
    script_path.write_text(script, encoding="utf-8")
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("h2o", "wrk"):
        (tools / tool).write_text("#!/bin/sh\n")
        (tools / tool).chmod(0o755)
    ended = subprocess.run(
        ["sh", str(script_path)],  # noqa: S607
        cwd=tmp_path,
        env={"PATH": f"{tools}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, "GUNICORN_SOURCE=" in ended.stderr) == (2, True)


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
