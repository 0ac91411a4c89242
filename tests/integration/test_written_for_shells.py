"""What we write for other programs, handed to them: the script that repeats a run, the checksums of an attachment."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from harness.provision import era
from harness.records.stored import StoredRun
from harness.records.unpack import open_attachment
from harness.report.as_script import render_script
from harness.report.attachment import bundle
from tests.unit.conftest import record_run

__all__ = ["record_run"]

RecordRun = Callable[..., StoredRun]


def parses(script: str, tmp_path: Path) -> bool:
    path = tmp_path / "reproduce.sh"
    path.write_text(script, encoding="utf-8")
    return subprocess.run(["sh", "-n", str(path)], check=False).returncode == 0  # noqa: S607 - whatever sh is here


def test_the_script_of_an_ordinary_run_is_one(record_run: RecordRun, tmp_path: Path) -> None:
    run = record_run()
    assert parses(render_script(run.cell, run.facts, run.path / "config"), tmp_path)


def test_the_script_of_a_disturbed_run_is_one(record_run: RecordRun, tmp_path: Path) -> None:
    run = record_run()
    cell = replace(run.cell, disturb="all")
    assert parses(render_script(cell, run.facts, run.path / "config"), tmp_path)


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


def test_checksums_satisfy_sha256sum(record_run: RecordRun, tmp_path: Path) -> None:
    folder = open_attachment(bundle(record_run(), tmp_path / "run.zip"), tmp_path)
    argv = ["sha256sum", "-c", "--strict", "SHA256SUMS"]
    checked = subprocess.run(argv, cwd=folder, capture_output=True, check=False)
    assert checked.returncode == 0, checked.stderr
