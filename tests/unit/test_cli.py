"""Exit codes and messages of the command line; the engine is a stub that gives the verdict which the test names."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.cli import commands, doctor, main, start
from harness.core import signals, streams
from harness.core.errors import SetupBrokenError, SurroundingsError, UnrunnableError, UsageError
from harness.core.findings import FindingId
from harness.core.model import Cell, Finding, Outcome, Verdict
from harness.core.signals import INTERRUPTING, hear_signals
from harness.engine import run
from harness.engine.request import RunRequest
from harness.provision import eviction
from harness.records.stored import StoredRun
from tests.unit.events import healthy

RecordRun = Callable[..., StoredRun]
FOUND = (
    Finding(id=FindingId.SOCKET_DELETED, at_s=1.0, detail="gone"),
    Finding(id=FindingId.PERMANENT_OUTAGE, at_s=1.0, detail="dead"),
)


@pytest.fixture(autouse=True)
def _signals(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The command line installs handlers of its own; under GitHub Actions it says more."""
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    before = [signal.getsignal(number) for number in INTERRUPTING]
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # another test may have left the handler, with what it heard
    yield
    for number, handler in zip(INTERRUPTING, before, strict=True):
        signal.signal(number, handler)


def _verdict(outcome: Outcome) -> Verdict:
    error = {"type": "X", "what": "w", "remedy": "r", "log": None} if outcome.value in {"error", "unrunnable"} else None
    return Verdict(
        cell=Cell(spec="19.6.0"),
        outcome=outcome,
        reasons=("so it was",),
        findings=FOUND if outcome is Outcome.VIOLATED else (),
        strength={"recycles": 30, "requests": 100, "failure_rate_upper_95": 0.1},
        error=error,
    )


@pytest.fixture
def reach(record_run: RecordRun, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    """``reach(outcome)``: every run ends so; the list holds the wishes that were made. An exception is raised."""

    def prepare(outcome: Outcome | BaseException, *, interrupted: bool = False, note: str | None = None) -> list[Any]:
        requests = list[Any]()

        def run_cell(request: RunRequest, **_: object) -> run.Result:
            requests.append(request)
            if isinstance(outcome, BaseException):
                raise outcome
            verdict = _verdict(outcome)
            path = record_run(verdict=verdict).path
            return run.Result(path=path, verdict=verdict, interrupted=interrupted, note=note)

        monkeypatch.setattr(run, "run_cell", run_cell)
        return requests

    return prepare


@pytest.mark.parametrize(
    ("outcome", "reproduce", "check"),
    [
        (Outcome.HOLDS, 0, 0),
        (Outcome.VIOLATED, 0, 1),
        (Outcome.INCONCLUSIVE, 3, 125),
        (Outcome.ERROR, 4, 125),
        (Outcome.UNRUNNABLE, 5, 125),
    ],
)
def test_the_exit_codes_of_the_contract(
    reach: Callable[..., list[Any]], outcome: Outcome, reproduce: int, check: int
) -> None:
    reach(outcome)
    assert main.main(["reproduce", "19.6.0"]) == reproduce


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (Outcome.HOLDS, 0),
        (Outcome.VIOLATED, 1),
        (Outcome.INCONCLUSIVE, 125),
        (Outcome.ERROR, 125),
        (Outcome.UNRUNNABLE, 125),
    ],
)
def test_check_speaks_to_git_bisect(reach: Callable[..., list[Any]], outcome: Outcome, code: int) -> None:
    reach(outcome)
    assert main.main(["check", "19.6.0"]) == code


@pytest.mark.parametrize(
    ("outcome", "expect", "code"),
    [
        (Outcome.VIOLATED, "socket-deleted", 0),
        (Outcome.VIOLATED, "socket-deleted,permanent-outage", 0),
        (Outcome.VIOLATED, "socket-deleted,worker-crashed", 1),
        (Outcome.VIOLATED, "holds", 1),
        (Outcome.HOLDS, "holds", 0),
        (Outcome.HOLDS, "socket-deleted", 1),
        (Outcome.INCONCLUSIVE, "holds", 3),
        (Outcome.ERROR, "socket-deleted", 4),
        (Outcome.UNRUNNABLE, "holds", 5),
    ],
)
def test_an_expectation_is_met_or_not(
    reach: Callable[..., list[Any]], outcome: Outcome, expect: str, code: int
) -> None:
    reach(outcome)
    assert main.main(["reproduce", "19.6.0", "--expect", expect]) == code


@pytest.mark.parametrize("command", ["reproduce", "check"])
@pytest.mark.parametrize("outcome", [Outcome.INCONCLUSIVE, Outcome.VIOLATED])
def test_an_interrupted_run_is_130_whatever_was_found(
    reach: Callable[..., list[Any]], command: str, outcome: Outcome
) -> None:
    reach(outcome, interrupted=True)
    assert main.main([command, "19.6.0"]) == 130


@pytest.mark.parametrize(
    ("problem", "reproduce", "check"),
    [
        (UsageError(what="no such SPEC", remedy="name one"), 2, 2),
        (SurroundingsError(what="no wrk", remedy="apt-get install wrk"), 4, 125),
        (SetupBrokenError(what="folder closed"), 4, 125),
        (UnrunnableError(what="too old"), 5, 125),
        (KeyboardInterrupt(), 130, 130),
    ],
)
def test_failures_before_there_was_a_record(
    reach: Callable[..., list[Any]],
    capsys: pytest.CaptureFixture[str],
    problem: BaseException,
    reproduce: int,
    check: int,
) -> None:
    reach(problem)
    assert main.main(["reproduce", "19.6.0"]) == reproduce
    assert main.main(["check", "19.6.0"]) == check
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("harness: ")
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (RuntimeError("boom"), "RuntimeError: boom\nharness: this is a failure of the harness itself"),
        (OSError(errno.ENOSPC, "No space left on device"), "harness: [Errno 28] No space left on device: make room"),
    ],
)
def test_a_failure_of_our_own_never_looks_like_a_verdict(
    reach: Callable[..., list[Any]], capsys: pytest.CaptureFixture[str], problem: Exception, said: str
) -> None:
    """Python's own exit code for it would be 1: not as expected, or violated."""
    reach(problem)
    assert main.main(["reproduce", "19.6.0"]) == 4
    assert main.main(["check", "19.6.0"]) == 125
    assert said in capsys.readouterr().err


def test_an_error_says_what_to_do_where_to_look_and_what_else_went_wrong(
    reach: Callable[..., list[Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    problem = SurroundingsError(what="no wrk", remedy="get wrk", log=Path("/r/logs/x.log"))
    vars(problem)["__notes__"] = ["and the clean-up failed too"]  # as add_note does from Python 3.11 on
    reach(problem)
    main.main(["reproduce", "19.6.0"])
    assert capsys.readouterr().err == (
        "harness: no wrk\nTo do: get wrk\nMore in /r/logs/x.log\nand the clean-up failed too\n"
    )


def test_results_go_to_stdout_and_name_the_record(
    reach: Callable[..., list[Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    reach(Outcome.VIOLATED, note="runs/latest could not be made")
    main.main(["reproduce", "19.6.0"])
    out, err = capsys.readouterr()
    assert "socket-deleted" in out
    assert "runs/latest could not be made" in out
    assert err == ""


def test_json_is_the_stored_verdict_and_nothing_else(
    reach: Callable[..., list[Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    reach(Outcome.VIOLATED, note="runs/latest could not be made")
    main.main(["reproduce", "19.6.0", "--json"])
    content = json.loads(capsys.readouterr().out)
    assert content["verdict"] == "violated"
    assert [finding["id"] for finding in content["findings"]] == ["socket-deleted", "permanent-outage"]


def test_what_cannot_be_meant_is_found_before_anything_runs(
    reach: Callable[..., list[Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    requests = reach(Outcome.HOLDS)
    assert main.main(["check", "19.6.0", "--proxy", "none"]) == 2
    assert requests == []
    assert "To do: Use --bind tcp" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [[], ["nonsense"], ["reproduce"], ["reproduce", "1", "--wrong"], ["report", "x", "--format", "pdf"], ["judge"]],
)
def test_wrong_usage_is_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main.main(arguments)
    assert caught.value.code == 2
    assert "usage: " in capsys.readouterr().err


@pytest.mark.parametrize("command", ["reproduce", "check", "judge", "report", "bundle", "doctor", "clean"])
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main.main([command, "--help"])
    assert caught.value.code == 0
    assert f"usage: harness {command}" in capsys.readouterr().out


def test_the_version_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main.main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("recycle-harness ")


@pytest.mark.parametrize("command", ["judge", "report", "bundle"])
def test_a_run_that_is_not_there_is_wrong_usage(
    tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main([command, str(tmp_path / "missing")]) == 2
    assert str(tmp_path / "missing") in capsys.readouterr().err


@pytest.mark.parametrize(
    ("outcome", "found", "check", "expect", "code"),
    [
        (Outcome.VIOLATED, {"socket-deleted"}, True, {"socket-deleted"}, 0),
        (Outcome.HOLDS, set(), True, {"socket-deleted"}, 1),
        (Outcome.INCONCLUSIVE, set(), True, {"holds"}, 125),
    ],
)
def test_an_expectation_of_check(
    outcome: Outcome, found: set[str], *, check: bool, expect: set[str], code: int
) -> None:
    assert commands.exit_code(outcome, frozenset(found), check=check, expect=frozenset(expect)) == code


def test_judging_a_stored_run_again_changes_nothing(record_run: RecordRun, capsys: pytest.CaptureFixture[str]) -> None:
    run = record_run()
    lines = [event.to_json() for event in healthy().events]
    (run.path / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    assert main.main(["judge", str(run.path), "--json"]) == 0
    out, err = capsys.readouterr()
    findings = [finding["id"] for finding in json.loads(out)["findings"]]
    assert findings == ["workers-not-respawned", "recycled-early"], "two workers of five, and 100 requests of 512"
    assert "The stored verdict.json differs from this one in: " in err
    assert {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()} == before


def record_unjudged(record_run: RecordRun) -> StoredRun:
    """A run with events and no verdict yet."""
    run = record_run()
    lines = [event.to_json() for event in healthy().events]
    (run.path / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (run.path / "verdict.json").unlink()
    return run


def test_a_run_folder_with_another_name_has_the_same_verdict(
    record_run: RecordRun, capsys: pytest.CaptureFixture[str]
) -> None:
    run = record_unjudged(record_run)
    main.main(["judge", str(run.path)])
    main.main(["judge", str(run.path.rename(run.path.with_name("other")))])
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signals_end_a_run_as_ctrl_c_does(
    reach: Callable[..., list[Any]], number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_cell(request: RunRequest, **_: object) -> run.Result:
        os.kill(os.getpid(), number)
        signals.check()
        raise AssertionError("the signal was not heard")

    monkeypatch.setattr(run, "run_cell", run_cell)
    before = signal.signal(number, signal.SIG_DFL)  # under nohup the tests themselves ignore SIGHUP
    try:
        assert main.main(["reproduce", "19.6.0"]) == 130
    finally:
        signal.signal(number, before)


@pytest.mark.parametrize("outcome", [Outcome.HOLDS, SurroundingsError(what="the disk is full")])
def test_a_signal_that_comes_when_the_run_is_over_is_not_lost(
    reach: Callable[..., list[Any]],
    outcome: Outcome | Exception,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What was stored is shown nevertheless, and nobody is told that there is no record."""
    reach(outcome)
    over = run.run_cell

    def run_cell(request: RunRequest, **more: Any) -> run.Result:
        os.kill(os.getpid(), signal.SIGTERM)
        return over(request, **more)

    monkeypatch.setattr(run, "run_cell", run_cell)
    assert main.main(["reproduce", "19.6.0"]) == 130
    said = capsys.readouterr()
    assert ("HOLDS" in said.out.upper()) == (outcome is Outcome.HOLDS)
    assert "interrupted before" not in said.err


def test_nohup_is_honoured() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    hear_signals()
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


@pytest.mark.parametrize(("outcome", "code"), [(Outcome.VIOLATED, 1), (Outcome.INCONCLUSIVE, 125)])
def test_a_reader_that_has_gone_takes_no_verdict_along(
    reach: Callable[..., list[Any]], monkeypatch: pytest.MonkeyPatch, outcome: Outcome, code: int
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    monkeypatch.setattr(sys, "stdout", streams.open_output(writing))
    reach(outcome)
    assert main.main(["check", "19.6.0"]) == code
    os.close(writing)


def test_full_disks_behind_the_streams(reach: Callable[..., list[Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    """A verdict that nobody could read is none; a message that nobody could read changes no exit code."""
    reach(Outcome.HOLDS)
    with Path("/dev/full").open("wb") as full:
        monkeypatch.setattr(sys, "stdout", streams.open_output(full.fileno()))
        monkeypatch.setattr(sys, "stderr", streams.open_complaints(full.fileno()))
        assert main.main(["check", "19.6.0"]) == 125
        assert main.main(["judge", "/nowhere"]) == 2
        monkeypatch.undo()  # while the file is open


def test_what_was_said_before_a_failure_is_written(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The process ends without Python's own flush."""

    def clean(_: object) -> int:
        print("removed something")
        raise SurroundingsError(what="The rest could not be removed.")

    monkeypatch.setattr(os, "_exit", sys.exit)
    monkeypatch.setattr(commands, "clean", clean)
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, getattr(sys, name))  # ``run`` puts others in their place
    monkeypatch.setattr(sys, "argv", ["harness", "clean"])
    with pytest.raises(SystemExit) as caught:
        start.run()
    assert caught.value.code == 4
    assert capfd.readouterr() == ("removed something\n", "harness: The rest could not be removed.\n")


def test_a_report_is_utf8_whatever_the_terminal_is(monkeypatch: pytest.MonkeyPatch, record_run: RecordRun) -> None:
    page = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(page, encoding="ascii"))
    assert main.main(["report", str(record_run().path), "--format", "html"]) == 0
    assert not page.getvalue().decode("utf-8").isascii()


@pytest.mark.usefixtures("bare_machine")
def test_a_cache_that_may_not_be_read_is_a_row_of_doctors(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise PermissionError(errno.EACCES, "Permission denied", "/cache/envs/x.lock")

    monkeypatch.setattr(eviction, "list_environments", refuse)
    row = next(row for row in doctor.examine() if row.name == "cache")
    assert (row.ok, "/cache/envs/x.lock" in row.found) == (False, True)


@pytest.mark.parametrize(
    ("tty", "no_color", "term", "colour"),
    [(True, "", "xterm", True), (True, "1", "xterm", False), (False, "", "xterm", False), (True, "", "dumb", False)],
)
def test_colour_only_for_a_terminal_that_wants_it(
    monkeypatch: pytest.MonkeyPatch, *, tty: bool, no_color: str, term: str, colour: bool
) -> None:
    monkeypatch.setenv("TERM", term)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: tty, raising=False)
    monkeypatch.setenv("NO_COLOR", no_color)
    assert commands.wants_colour() is colour


def test_a_run_that_was_never_judged_is_judged_and_gets_its_reports(
    record_run: RecordRun, capsys: pytest.CaptureFixture[str]
) -> None:
    run = record_unjudged(record_run)
    assert main.main(["judge", str(run.path)]) == 0
    assert json.loads((run.path / "verdict.json").read_text())["verdict"] == "violated"
    assert (run.path / "report.md").is_file()
    assert capsys.readouterr().err == ""


def test_a_record_that_somebody_broke_is_a_message_and_no_traceback(
    record_run: RecordRun, capsys: pytest.CaptureFixture[str]
) -> None:
    run = record_run()
    (run.path / "events.jsonl").write_text('{"at_ns": 1, "kind": "probe", "via": "proxy"}\n')
    assert main.main(["judge", str(run.path)]) == 2
    assert "events.jsonl, line 1: not an event: probe lacks outcome" in capsys.readouterr().err


def test_one_report_goes_to_stdout_and_several_become_files(
    record_run: RecordRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = record_run()
    assert main.main(["report", str(run.path), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)
    assert main.main(["report", str(run.path), "--format", "md,junit", "--out", str(tmp_path / "new" / "out")]) == 0
    written = sorted(path.name for path in (tmp_path / "new" / "out").iterdir())
    assert written == ["report.md", "report.xml"]
    assert sorted(Path(line).name for line in capsys.readouterr().out.splitlines()) == written
