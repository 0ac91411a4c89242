"""The load on httpx as its own process, against servers that misbehave in one way each."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from harness.core.clock import now_ns, wait_until
from harness.core.model import Cell
from harness.stack.load import httpx_load
from harness.stack.load.account import LEDGER_VARIABLE
from harness.stack.load.result import RESULT_VARIABLE, LoadReport, parse_result
from tests.integration.servers import (
    CLOSING,
    ERROR,
    OK,
    TORN,
    Behaviour,
    answering,
    hang,
    hang_up,
    read_head,
    serving,
)

LATE_S = 2.4


CONNECTIONS = 8
"""Of a load, unless a test says otherwise. With more requests than these, some connection carried a second one."""


def start(url: str, result: Path, cell: Cell) -> subprocess.Popen[str]:
    program = httpx_load.find_program()
    return subprocess.Popen(
        httpx_load.render_command(str(program.path), cell, url=url, script=""),
        env={**program.env, RESULT_VARIABLE: str(result), LEDGER_VARIABLE: str(result.parent / "account")},
        cwd=result.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str], result: Path) -> LoadReport:
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "", "")
    report = parse_result(result.read_text())
    assert report is not None
    return report


def read_account(folder: Path) -> tuple[dict[int, str], dict[int, int]]:
    """(how each request ended by its number, the last number of each process)."""
    ended: dict[int, str] = {}
    last = {}
    for line in (folder / "account.log").read_text().splitlines():
        _, process, number = line.split()
        last[int(process)] = int(number)
        for row in (folder / f"account-{process}.log").read_text().splitlines():
            if row.startswith("w"):
                name, outcome = row[1:].split()
                ended[int(name)] = outcome
    return ended, last


def drive(
    url: str, folder: Path, *, connections: int = CONNECTIONS, duration_s: float = 0.6, rate_per_s: int | None = None
) -> LoadReport:
    cell = Cell(spec="1", connections=connections, duration_s=duration_s, rate_per_s=rate_per_s)
    result = folder / "httpx.result"
    return finish(start(url, result, cell), result)


def errors(report: LoadReport) -> dict[str, int]:
    return {name: count for name, count in report.errors.items() if count}


def test_every_answer_is_counted_in_its_time(tmp_path: Path) -> None:
    before_ns = now_ns()
    with serving(answering(OK)) as url:
        report = drive(url, tmp_path)
    assert set(report.statuses) == {"200"}
    assert (report.requests > CONNECTIONS, errors(report), report.late) == (True, {}, 0)
    assert all(before_ns - 10**7 <= row.at_ns <= now_ns() for row in report.answers)
    assert 0 < report.latency_ms["p50"] <= report.latency_ms["p99"] <= report.latency_ms["max"]


def test_a_connection_is_kept_as_long_as_the_server_keeps_it(tmp_path: Path) -> None:
    opened = []
    answer = answering(OK)

    async def counted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(1)
        await answer(reader, writer)

    with serving(counted) as url:
        assert drive(url, tmp_path, connections=3).requests > len(opened)
    assert len(opened) == 3


def test_every_request_has_an_id_of_its_own_and_is_accounted_for(tmp_path: Path) -> None:
    arrived: list[int] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await read_head(reader):
            arrived.append(int(head.partition(b"X-Request-Id: w")[2].partition(b"\r")[0]))
            writer.write(ERROR if arrived[-1] % 10 == 3 else OK)

    with serving(listen) as url:
        report = drive(url, tmp_path)
    ended, last = read_account(tmp_path)
    assert sorted(arrived) == sorted(ended)
    assert Counter(ended.values()) == report.statuses
    assert {number: outcome for number, outcome in ended.items() if outcome == "500"}.keys() == {
        number for number in arrived if number % 10 == 3
    }
    for process, number in last.items():
        assert {one for one in ended if one % len(last) == process} == set(range(process, number + 1, len(last)))


@pytest.mark.parametrize(
    ("behaviour", "outcome"),
    [pytest.param(hang, "timeout", marks=pytest.mark.waits), (hang_up, "closed"), (None, "refused")],
)
def test_what_was_never_answered_is_accounted_for(tmp_path: Path, behaviour: Behaviour | None, outcome: str) -> None:
    with serving(behaviour or hang) as url:
        report = None if behaviour is None else drive(url, tmp_path, duration_s=0.2)
    report = report or drive(url, tmp_path, duration_s=0.2)  # nobody listens there any more
    ended, _ = read_account(tmp_path)
    assert set(ended.values()) == {outcome}
    assert len(ended) == report.errors[outcome]


@pytest.mark.parametrize(
    ("behaviour", "status", "error"),
    [
        (answering(ERROR), "500", None),
        (answering(CLOSING, keep=False), "200", None),
        (hang_up, None, "closed"),
        (answering(TORN, keep=False), None, "closed"),
    ],
    ids=["an error", "closed as announced", "closed without an answer", "closed within the answer"],
)
def test_how_a_request_ends(tmp_path: Path, behaviour: Behaviour, status: str | None, error: str | None) -> None:
    with serving(behaviour) as url:
        report = drive(url, tmp_path)
    assert set(report.statuses) == ({status} if status else set())
    assert set(errors(report)) == ({error} if error else set())


def test_nobody_listens(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    report = drive(f"http://127.0.0.1:{port}/", tmp_path)
    assert (report.requests, set(errors(report))) == (0, {"refused"})
    assert sum(report.errors.values()) < 1_500, "it asks a closed door too often"


def test_a_unix_socket_and_a_missing_one(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with serving(answering(OK), path) as url:
        report = drive(url, tmp_path)
        assert (report.requests > CONNECTIONS, errors(report)) == (True, {})
    path.unlink(missing_ok=True)
    assert set(errors(drive(f"unix:{path}", tmp_path))) == {"missing"}


@pytest.mark.waits
def test_a_server_that_hangs_is_seen_as_hung_and_not_as_fast(tmp_path: Path) -> None:
    with serving(hang) as url:
        report = drive(url, tmp_path, connections=5, duration_s=0.3)
    assert (report.requests, errors(report), report.late) == (0, {"timeout": 5}, 0)
    assert report.latency_ms["p50"] >= 2_000


@pytest.mark.waits
def test_an_answer_that_comes_late_is_a_time_out_and_an_answer(tmp_path: Path) -> None:
    with serving(answering(OK, delay_s=LATE_S)) as url:
        report = drive(url, tmp_path, connections=3, duration_s=3.5)
    assert (report.late, report.statuses) == (3, {"200": 3})
    assert errors(report) == {"timeout": 6}, "those that were under way at the end too"


def test_a_constant_rate_is_kept(tmp_path: Path) -> None:
    with serving(answering(OK)) as url:
        report = drive(url, tmp_path, duration_s=1.0, rate_per_s=100)
    assert report.pace["due"] == 100 == report.requests + report.pace["unstarted"]
    assert report.requests > 80


def test_a_constant_rate_measures_the_wait_that_a_stalling_server_causes(tmp_path: Path) -> None:
    """One connection, 0.1 s an answer, 40 requests a second wanted: of 40 some 10 can start; the rest is no secret."""
    with serving(answering(OK, delay_s=0.1)) as url:
        report = drive(url, tmp_path, connections=1, duration_s=1.0, rate_per_s=40)
    assert report.pace["due"] == 40
    assert 25 <= report.pace["unstarted"] == 40 - report.requests
    assert report.pace["delayed"] >= report.requests - 2
    assert report.latency_ms["p50"] > 300, "counted from when they did start, each took 100 ms"


@pytest.mark.waits
def test_with_a_constant_rate_a_hanging_server_leaves_requests_unstarted(tmp_path: Path) -> None:
    with serving(hang) as url:
        report = drive(url, tmp_path, connections=4, duration_s=0.5, rate_per_s=100)
    assert (report.requests, errors(report)) == (0, {"timeout": 4})
    assert report.pace["unstarted"] == report.pace["due"] - 4 == 46


@pytest.mark.parametrize("after_s", [0.0, 0.05, 1.0])
def test_sigint_ends_it_early_and_whole_whenever_it_comes(tmp_path: Path, after_s: float) -> None:
    result = tmp_path / "httpx.result"
    with serving(answering(OK)) as url:
        process = start(url, result, Cell(spec="1", connections=4, duration_s=15.0))
        _await_mask(process.pid)
        time.sleep(after_s)
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        report = finish(process, result)
    assert time.monotonic() - began < 8
    assert errors(report) == {}
    assert report.requests > 0 or after_s < 1.0


def _await_mask(pid: int) -> None:
    """Until its interpreter runs our first lines, which make SIGINT wait; before, no Python program can hear it."""
    bit, deadline = 1 << (signal.SIGINT - 1), time.monotonic() + 10
    while time.monotonic() < deadline:
        status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        if int(status["SigBlk"], 16) & bit:
            return
        time.sleep(0.001)
    raise AssertionError("it never made SIGINT wait")


def test_its_processes_end_with_it_even_where_it_is_killed(tmp_path: Path) -> None:
    result = tmp_path / "httpx.result"
    with serving(answering(OK)) as url:
        process = start(url, result, Cell(spec="1", connections=4, duration_s=60.0))
        tasks = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        children = wait_until(lambda: tasks.read_text().split(), timeout_s=10, alive=lambda: process.poll() is None)
        process.kill()
        process.communicate(timeout=10)
        assert children
        gone = wait_until(lambda: not any(map(_runs, children)), timeout_s=10, alive=lambda: True)
    assert gone
    assert not result.exists()


def _runs(pid: str) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def test_no_process_is_left_where_one_fails(tmp_path: Path) -> None:
    """Too few file descriptors for its connections: the load has failed, and no server is blamed."""
    result = tmp_path / "httpx.result"
    limit = (
        "import os, resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16)); "
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    program = httpx_load.find_program()
    with serving(answering(OK)) as url:
        argv = httpx_load.render_command(str(program.path), Cell(spec="1", connections=60), url=url, script="")
        done = subprocess.run(
            [sys.executable, "-c", limit, *argv],
            env={**program.env, RESULT_VARIABLE: str(result)},
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    assert (done.returncode, result.exists()) == (4, False)
    assert "The load can open no further connection: Too many open files" in done.stderr
