"""Broken surroundings are errors with a cause and a remedy, never a verdict on the release."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from harness.provision import tools
from harness.stack.programs import DEFAULTS, recipe_of
from tests.integration.stubs import command, environ, find_marked, make_wheel, needs_tools, run_harness

QUICK = ("--worker", "sync", "--workers", "2", "--max-requests", "100", "--recycles", "4", "--duration", "3")
ROOT = os.geteuid() == 0


@needs_tools
@pytest.mark.skipif(not ROOT, reason="only root's proxy gives up its rights and can be shut out of a folder")
@pytest.mark.parametrize(
    "proxy", ["h2o", pytest.param("nginx", marks=pytest.mark.slow), pytest.param("haproxy", marks=pytest.mark.slow)]
)
def test_a_socket_folder_that_the_proxy_may_not_enter(tmp_path: Path, proxy: str) -> None:
    if tools.find_tool(recipe_of(proxy)) is None:
        pytest.skip(f"{proxy} is not here")
    wheel = make_wheel(tmp_path, "good")
    with tempfile.TemporaryDirectory() as closed:  # mode 0700, and a short path: haproxy takes 97 bytes at most
        ran = run_harness(tmp_path / "runs", "reproduce", wheel, *QUICK, "--proxy", proxy, TMPDIR=closed)
    assert (ran.code, ran.verdict["verdict"], ran.findings) == (4, "error", set())
    assert "may not enter" in ran.verdict["error"]["what"]
    assert "chmod o+x" in ran.verdict["error"]["remedy"]


@needs_tools
def test_a_taken_port(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ran = run_harness(tmp_path / "runs", "reproduce", make_wheel(tmp_path, "good"), *QUICK, "--port", str(port))
    assert (ran.code, ran.verdict["verdict"]) == (4, "error")
    assert str(port) in ran.verdict["error"]["what"]


@pytest.mark.parametrize(
    ("absent", "options"),
    [
        ("h2o", ()),
        ("wrk", ("--load", "wrk")),
        ("nginx", ("--proxy", "nginx")),
        pytest.param("haproxy", ("--proxy", "haproxy"), marks=pytest.mark.slow),
    ],
)
@needs_tools
def test_a_missing_tool(tmp_path: Path, absent: str, options: tuple[str, ...]) -> None:
    done, verdict = run_without(absent, tmp_path, *options)
    assert (done.returncode, verdict["verdict"]) == (4, "error"), done.stdout + done.stderr
    assert verdict["error"]["what"].startswith(f"{absent} is missing")
    assert "apt-get install" in verdict["error"]["remedy"]


@needs_tools
def test_without_wrk_httpx_makes_the_load_and_the_report_says_so(tmp_path: Path) -> None:
    done, verdict = run_without("wrk", tmp_path)
    assert (done.returncode, verdict["verdict"], verdict["cell"]["load"]) == (0, "holds", "httpx"), done.stderr
    assert verdict["counts"]["latency_ms"]["p50"] > 0
    facts = json.loads((tmp_path / "runs" / "latest" / "facts.json").read_text())
    assert facts["load"]["note"].startswith("wrk is missing, so httpx makes the load")
    assert facts["load"]["version"].startswith(version("httpx"))
    assert "Load    wrk is missing, so httpx makes the load" in done.stdout
    assert "wrk is missing" in (tmp_path / "runs" / "latest" / "report.md").read_text()


def run_without(absent: str, tmp_path: Path, *options: str) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    """`harness reproduce` on a machine that has all tools but one, and its verdict."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for present in DEFAULTS:
        found = tools.find_tool(recipe_of(present))
        assert found is not None
        if present != absent:
            (folder / present).symlink_to(found.path)
    hidden = (
        "import sys; from harness.provision import tools; tools.SYSTEM_FOLDERS = (); "
        "from harness.cli.main import main; "
    )
    wheel, out = make_wheel(tmp_path, "good"), tmp_path / "runs"
    # The cache is an empty one, so that no tool which somebody unpacked before is found there.
    variables = environ(PATH=str(folder), RECYCLE_HARNESS_CACHE=str(tmp_path / "cache"))
    argv = ["reproduce", str(wheel), *QUICK, *options, "--out", str(out), "--python", sys.executable]
    done = subprocess.run(
        [sys.executable, "-c", f"{hidden}sys.exit(main({argv!r}))"],
        env=variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done, json.loads((out / "latest" / "verdict.json").read_text())


@needs_tools
@pytest.mark.skipif(not (ROOT and shutil.which("unshare")), reason="a full disk needs root, to mount a small one")
@pytest.mark.parametrize("size", ["48k", "300k"])
def test_a_full_disk(tmp_path: Path, size: str) -> None:
    small = tmp_path / "small"
    small.mkdir()
    run = " ".join(map(repr, command("reproduce", make_wheel(tmp_path, "good"), *QUICK, "--out", small / "runs")))
    script = (
        f"mount -t tmpfs -o size={size} none {small} && {run}; code=$?; find {small} -name 'verdict.json*'; exit $code"
    )
    unshare = shutil.which("unshare")
    assert unshare is not None
    allowed = subprocess.run([unshare, "--mount", "true"], capture_output=True, text=True, check=False)
    if allowed.returncode != 0:
        pytest.skip(f"no file system can be mounted for a test alone: {allowed.stderr.strip()}")
    done = subprocess.run(
        [unshare, "--mount", "sh", "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environ(),
    )
    assert done.returncode == 4, done.stdout + done.stderr
    assert "verdict.json" not in done.stdout
    assert "pace" in done.stderr or "bytes are free" in done.stderr
    assert "Traceback" not in done.stderr


@needs_tools
def test_two_runs_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    wheel, out = make_wheel(tmp_path, "good"), tmp_path / "runs"
    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(lambda _: run_harness(out, "reproduce", wheel, *QUICK, "--json"), range(2)))
    verdicts = [json.loads(ran.out) for ran in runs]
    assert [verdict["verdict"] for verdict in verdicts] == ["holds", "holds"]
    assert verdicts[0]["run"] != verdicts[1]["run"]
    assert find_marked(out) == []


@needs_tools
def test_a_stored_run_gets_the_same_verdict_without_any_tool(tmp_path: Path) -> None:
    out = tmp_path / "runs"
    run_harness(out, "reproduce", make_wheel(tmp_path, "removed-by-rm"), *QUICK)
    stored = (out / "latest" / "verdict.json").read_text()
    for run in (out / "latest", _bundle(out, tmp_path / "attachment.zip")):
        judged = subprocess.run(
            command("judge", run, "--json"), capture_output=True, text=True, check=True, env=environ(PATH=str(tmp_path))
        )
        assert json.loads(judged.stdout) == json.loads(stored)
        assert judged.stderr == ""


def _bundle(out: Path, target: Path) -> Path:
    subprocess.run(command("bundle", out / "latest", "--out", target), check=True, capture_output=True, env=environ())
    return target
