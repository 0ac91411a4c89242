"""Names and files that no user means: one clear line, the right exit code, and nothing that steers a terminal."""

from __future__ import annotations

import json
import os
import signal
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.cli import main
from harness.core.errors import SurroundingsError, UsageError
from harness.core.files import open_regular
from harness.core.model import Outcome
from harness.core.paths import cache_dir
from harness.core.signals import INTERRUPTING
from harness.core.text import printable
from harness.engine import run
from harness.engine.run import Result
from harness.engine.scratch import make_scratch_folder
from harness.records.store import load_run
from harness.records.stored import StoredRun
from harness.report.as_junit import render_junit
from harness.report.attachment import bundle

RecordRun = Callable[..., StoredRun]
LONG = "a" * 300
EVIL = "\x1b[31mred\x07\u202e"


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    before = [signal.getsignal(number) for number in INTERRUPTING]
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    for number, handler in zip(INTERRUPTING, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.parametrize("command", ["judge", "report", "bundle", "reproduce", "check"])
def test_a_name_that_no_file_can_have_is_wrong_usage(
    bare_machine: None, tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main([command, str(tmp_path / LONG)]) == 2
    said = capsys.readouterr().err
    assert "File name too long" in said
    assert len(said.splitlines()) <= 2


def test_so_is_an_interpreter_of_such_a_name(
    bare_machine: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "runs")
    assert main.main(["reproduce", "19.6.0", "--python", str(tmp_path / LONG), "--out", out]) == 2
    assert "File name too long" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["cell.json", "facts.json", "verdict.json"])
def test_a_fifo_in_a_record_is_refused_instead_of_waited_for(record_run: RecordRun, name: str) -> None:
    run = record_run()
    (run.path / name).unlink()
    os.mkfifo(run.path / name)
    with pytest.raises(UsageError, match="Not a regular file"):
        load_run(run.path)


def test_a_record_with_an_unknown_disturbance_is_refused(record_run: RecordRun) -> None:
    run = record_run()
    cell = json.loads((run.path / "cell.json").read_text()) | {"disturb": "recycle</script>"}
    (run.path / "cell.json").write_text(json.dumps(cell))
    with pytest.raises(UsageError, match="disturbance that is not known here"):
        load_run(run.path)


def test_a_fifo_instead_of_events_too(record_run: RecordRun) -> None:
    run = record_run()
    (run.path / "events.jsonl").unlink()
    os.mkfifo(run.path / "events.jsonl")
    with pytest.raises(UsageError, match="Not a regular file"):
        list(run.events())


def test_a_regular_file_is_opened_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to("file")
    with open_regular(tmp_path / "link") as stream:
        assert stream.read() == b"x"
    with pytest.raises(OSError, match="Not a regular file"):
        open_regular(tmp_path)


@pytest.mark.parametrize("command", ["judge", "report", "bundle"])
def test_an_error_message_does_not_steer_the_terminal(
    tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main([command, str(tmp_path / EVIL)]) == 2
    said = capsys.readouterr().err
    assert "\\x1b[31mred\\x07\\u202e does not exist" in said
    assert not set(said) & set(EVIL) - set("[31mred")


@pytest.mark.parametrize(
    "words", [["reproduce", "19.6.0", f"--{EVIL}"], ["reproduce", "19.6.0", "--worker", EVIL], [EVIL]]
)
def test_nor_does_wrong_usage(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main.main(words)
    assert not set(capsys.readouterr().err) & set("\x1b\x07\u202e")


def test_nor_does_the_path_of_a_record(record_run: RecordRun, capsys: pytest.CaptureFixture[str]) -> None:
    run = record_run()
    path = run.path.rename(run.path.with_name(f"run-{EVIL}"))
    main.main(["judge", str(path)])
    main.main(["bundle", str(path), "--out", str(path.parent / f"{EVIL}.zip")])
    main.main(["report", str(path), "--format", "md,junit"])
    said = capsys.readouterr()
    assert not (set(said.out) | set(said.err)) & set("\x1b\x07\u202e")


def test_printable_keeps_lines_and_letters() -> None:
    assert printable("eins\tzwei\ndrei é 漢 \x00\x9b") == "eins\tzwei\ndrei é 漢 \\x00\\x9b"


def _poison(data: Any) -> Any:  # noqa: ANN401 - JSON
    """The same with control characters in each text; keys, too, but those that the format names."""
    if isinstance(data, str):
        return data + "\x00\x1b]0;\x07\ufffe"
    if isinstance(data, dict):
        return {key: _poison(value) for key, value in data.items()} | {f"\x01{key}": "\x02" for key in list(data)[:1]}
    if isinstance(data, list):
        return [_poison(value) for value in data]
    return data


def test_no_field_breaks_junit(record_run: RecordRun) -> None:
    def edit(stored: dict[str, Any]) -> None:
        for key in ("findings", "invariants", "invariant_reasons", "reasons", "counts", "timing_s", "strength"):
            if key in stored:
                stored[key] = _poison(stored[key])

    facts: dict[str, Any] = _poison({"started_utc": "2026", "os": {"kernel": "k"}, "proxy": {"name": "h2o"}})
    root = ET.fromstring(render_junit(record_run(edit=edit, facts=facts)))  # noqa: S314 - our own text
    assert root.find("testsuite") is not None


@pytest.fixture
def no_temporary_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/proc/nonexistent"])  # else /tmp is found


def test_without_a_temporary_folder_an_attachment_can_t_be_read_and_says_so(
    record_run: RecordRun, request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    attachment = bundle(record_run(), tmp_path / "a.zip", force=True)
    request.getfixturevalue("no_temporary_folder")
    assert main.main(["judge", str(attachment)]) == 4
    said = capsys.readouterr().err
    assert "No temporary folder can be made" in said
    assert "Set TMPDIR" in said
    assert len(said.splitlines()) <= 2


def test_nor_can_servers_be_started(no_temporary_folder: None) -> None:
    with pytest.raises(SurroundingsError, match="There is no temporary folder"):
        make_scratch_folder(cast(Any, None))


def test_doctor_tells_that_there_is_no_temporary_folder(
    bare_machine: None, no_temporary_folder: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(["doctor"]) == 4
    assert "No usable temporary directory found" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["judge"], ["report"], ["reproduce", "--settings"], ["reproduce", "--python"]])
def test_the_home_of_a_user_who_does_not_exist_is_no_home(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    more = ["19.6.0"] if words[0] == "reproduce" else []
    assert main.main([words[0], *more, *words[1:], "~no-such-user/x"]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_without_a_home_the_cache_has_to_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> Path:
        raise RuntimeError

    monkeypatch.delenv("RECYCLE_HARNESS_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", fail)
    with pytest.raises(SurroundingsError) as caught:
        cache_dir()
    assert "RECYCLE_HARNESS_CACHE" in caught.value.remedy


def test_a_signal_just_after_storing_shows_what_was_stored(
    record_run: RecordRun, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stored = record_run()

    def run_cell(_request: object, *, say: object) -> Result:
        signal.raise_signal(signal.SIGTERM)
        verdict = cast(Any, SimpleNamespace(findings=(), outcome=Outcome.HOLDS))
        return Result(path=stored.path, verdict=verdict, interrupted=False)

    monkeypatch.setattr(run, "run_cell", run_cell)
    assert main.main(["reproduce", "19.6.0"]) == 130
    said = capsys.readouterr()
    assert str(stored.path) in said.out
    assert "before there was anything" not in said.err


def test_more_disturbances_than_any_run_can_do_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main.main(["reproduce", "19.6.0", "--disturb", "reload", "--times", "9" * 20])
    assert ended.value.code == 2
    assert "is more than 1,000" in capsys.readouterr().err
