from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.core.cells import cell_from_json, cell_id, cell_to_json
from harness.core.errors import SurroundingsError, UsageError
from harness.core.model import Cell
from harness.records.store import RunFolder, create_run, load_run
from harness.records.stored import StoredRun
from harness.report.attachment import bundle
from harness.watch.event_log import EventSink
from tests.unit.events import fields_of

RecordRun = Callable[..., StoredRun]


def test_run_folder_is_made_with_its_parts(tmp_path: Path) -> None:
    run = create_run(tmp_path / "a" / "runs", "cell")
    assert run.path.parent == tmp_path / "a" / "runs"
    assert run.path.name.endswith("Z-cell")
    assert sorted(entry.name for entry in run.path.iterdir()) == ["config", "logs"]


def test_two_runs_in_one_second_get_two_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.strftime", lambda *_: "20261120T181804Z")
    names = [create_run(tmp_path, "cell").run_id for _ in range(3)]
    assert names == ["20261120T181804Z-cell", "20261120T181804Z-cell-2", "20261120T181804Z-cell-3"]


def test_a_file_where_runs_should_lie_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(SurroundingsError, match=r"could not be written.*\n.*--out"):
        create_run(tmp_path / "runs", "cell")


def test_written_files_are_whole_and_have_their_modes(tmp_path: Path) -> None:
    run = create_run(tmp_path, "cell")
    run.write_json("facts.json", {"a": [1, "ä"], "b": "\udc80"})
    run.write_text("reproduce.sh", "#!/bin/sh\n", executable=True)
    assert json.loads((run.path / "facts.json").read_text(encoding="utf-8")) == {"a": [1, "ä"], "b": "\udc80"}
    assert (run.path / "facts.json").stat().st_mode & 0o777 == 0o600
    assert (run.path / "reproduce.sh").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("failure", [(errno.ENOSPC, "No space is left"), (errno.EDQUOT, "quota")])
@pytest.mark.parametrize(("call", "write"), [("fsync", RunFolder.write_json), ("fchmod", RunFolder.write_text)])
def test_full_disk_leaves_the_old_file_and_nothing_else(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    write: Callable[[RunFolder, str, str], Path],
    failure: tuple[int, str],
) -> None:
    number, word = failure
    run = create_run(tmp_path, "cell")
    run.write_text("verdict.json", "old")

    def full(*_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, call, full)
    with pytest.raises(SurroundingsError, match=word) as caught:
        write(run, "verdict.json", "new")
    assert str(run.path) in caught.value.what
    assert caught.value.remedy
    assert (run.path / "verdict.json").read_text() == "old"
    assert sorted(entry.name for entry in run.path.iterdir()) == ["config", "logs", "verdict.json"]


def test_data_are_on_the_disk_once_they_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, synced = create_run(tmp_path, "cell"), list[int]()
    monkeypatch.setattr(os, "fsync", synced.append)
    run.write_text("report.md", "a report can be rendered again")
    assert synced == []
    run.write_json("verdict.json", {})
    assert len(synced) == 1


def test_latest_is_a_relative_link_that_moves_on(tmp_path: Path) -> None:
    first, second = create_run(tmp_path, "one"), create_run(tmp_path, "two")
    assert first.link_latest() is None
    assert second.link_latest() is None
    assert (tmp_path / "latest").readlink() == Path(second.run_id)
    assert [entry.name for entry in tmp_path.iterdir() if entry.name.startswith(".")] == []


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_something_else_named_latest_is_left_alone(tmp_path: Path, kind: str) -> None:
    run, latest = create_run(tmp_path, "one"), tmp_path / "latest"
    latest.write_text("mine") if kind == "file" else latest.mkdir()
    said = run.link_latest()
    assert said is not None
    assert "left alone" in said
    assert not latest.is_symlink()


def test_a_run_is_found_by_folder_link_verdict_and_attachment(record_run: RecordRun, tmp_path: Path) -> None:
    run = record_run()
    link = tmp_path / "latest"
    link.symlink_to(run.path)
    archive = bundle(run, tmp_path / "run.zip")
    for path in (run.path, link, run.path / "verdict.json", archive):
        with load_run(path) as found:
            assert (found.run_id, found.cell, found.verdict) == (run.run_id, run.cell, run.verdict)
            assert list(found.events()) == list(run.events())


def test_an_unpacked_attachment_is_removed_and_a_folder_is_not(record_run: RecordRun, tmp_path: Path) -> None:
    run = record_run()
    with load_run(bundle(run, tmp_path / "run.zip")) as opened:
        unpacked = opened.path
        assert unpacked.is_dir()
    assert not unpacked.parent.exists()
    with load_run(run.path):
        pass
    assert run.path.is_dir()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda folder: (folder / "cell.json").unlink(), "not complete"),
        (lambda folder: (folder / "cell.json").write_text("[]"), "no JSON object"),
        (lambda folder: (folder / "cell.json").write_text("{"), "damaged"),
        (lambda folder: (folder / "cell.json").write_text('{"spec": "1", "workers": NaN}'), "NaN"),
        (lambda folder: (folder / "cell.json").write_text("[" * 100_000), "damaged"),
        (lambda folder: (folder / "verdict.json").write_text('{"schema": 2}'), "schema '2'"),
        (lambda folder: (folder / "facts.json").write_text('{"schema": true}'), "schema 'True'"),
        (shutil.rmtree, "does not exist"),
    ],
)
def test_what_is_no_run_is_refused(record_run: RecordRun, spoil: Callable[[Path], object], says: str) -> None:
    run = record_run()
    spoil(run.path)
    with pytest.raises(UsageError, match=says) as caught:
        load_run(run.path)
    assert caught.value.remedy


def test_other_paths_are_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "gone").symlink_to("nowhere")
    for name, says in (("notes.txt", "neither"), ("gone", "a link to a folder that is gone"), (".", "is not a run")):
        with pytest.raises(UsageError, match=says):
            load_run(tmp_path / name)


def test_facts_and_verdict_may_be_missing(record_run: RecordRun) -> None:
    run = record_run()
    (run.path / "facts.json").unlink()
    (run.path / "verdict.json").unlink()
    found = load_run(run.path)
    assert (found.facts, found.verdict) == ({}, None)
    with pytest.raises(UsageError, match="before it was judged"):
        found.judged()


def test_a_torn_last_line_is_told_and_left_out(record_run: RecordRun) -> None:
    run, said = record_run(), list[str]()
    whole = list(run.events())
    with (run.path / "events.jsonl").open("a") as stream:
        stream.write('{"at_ns": 99, "ki')
    assert list(run.events(said.append)) == whole
    assert len(said) == 1
    assert "line 51" in said[0]
    assert "torn" in said[0]


@pytest.mark.parametrize(
    "bad", ["nonsense", "[1]", '{"at_ns": 1.5, "kind": "x"}', '{"at_ns": true, "kind": "x"}', '{"at_ns": 1}']
)
def test_a_bad_line_in_the_middle_is_an_error_with_its_number(record_run: RecordRun, bad: str) -> None:
    run = record_run()
    path = run.path / "events.jsonl"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:3], bad, *lines[3:]]) + "\n")
    with pytest.raises(UsageError, match=r"events\.jsonl, line 4: not an event"):
        list(run.events())


def test_events_stream_and_keep_their_fields(record_run: RecordRun) -> None:
    first = next(record_run().events())
    assert (first.at_ns, first.kind, fields_of(first)) == (
        1000,
        "probe",
        {"via": "proxy", "outcome": "200", "took_ns": 100},
    )


def test_cell_survives_the_round_trip_with_the_contracts_keys_first() -> None:
    cell = Cell(spec="latest", gunicorn="23.0.0", port=8000, duration_s=2.5)
    data = cell_to_json(cell)
    assert list(data)[:4] == ["gunicorn", "python", "worker", "proxy"]
    assert data["python"] is None
    assert cell_from_json(data | {"from the future": 1}, where="cell.json") == cell
    del data["upstream_keepalive"]
    assert cell_from_json(data, where="a record from before there was the option") == cell


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("workers", "5"),
        ("workers", True),
        ("workers", -1),
        ("worker", None),
        ("trace", 1),
        ("upstream_keepalive", "no"),
        ("duration_s", "x"),
        ("port", 1.5),
    ],
)
def test_wrong_types_name_the_file_and_the_key(key: str, value: object) -> None:
    with pytest.raises(UsageError) as caught:
        cell_from_json({"spec": "19.6.0", key: value}, where="x/cell.json")
    assert "x/cell.json" in caught.value.what
    assert repr(key) in caught.value.what


def test_a_cell_without_spec_is_refused() -> None:
    with pytest.raises(UsageError, match="'spec'"):
        cell_from_json({}, where="cell.json")


def test_cell_id_is_readable_restricted_and_bounded() -> None:
    cell = Cell(spec="19.6.0", python="3.6.15")
    assert cell_id(cell, "19.6.0") == "19.6.0-py3.6-gthread-unix-h2o-wrk-local"
    hostile = cell_id(cell, "../../$(touch x)" + "y" * 200)
    assert len(hostile) == 100
    assert "/" not in hostile
    assert hostile.endswith("-py3.6-gthread-unix-h2o-wrk-local")


def test_a_record_is_its_owner_s_alone(tmp_path: Path) -> None:
    """Whatever the umask: logs and settings hold secrets."""
    before = os.umask(0)
    try:
        folder = create_run(tmp_path / "runs", "cell")
        folder.write_text("facts.json", "{}")
        folder.write_text("reproduce.sh", "", executable=True)
        EventSink(folder.path / "events.jsonl").close()
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (folder.path, *folder.path.iterdir())}
    folders = {folder.path.name: 0o700, "logs": 0o700, "config": 0o700}
    assert modes == {**folders, "facts.json": 0o600, "events.jsonl": 0o600, "reproduce.sh": 0o700}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can lend a record to another user")
def test_what_is_lent_can_be_read_and_a_few_files_written_and_all_is_taken_back(tmp_path: Path) -> None:
    run = create_run(tmp_path, "cell")
    run.write_text("config/config.py", "workers = 1\n")
    run.lend(60999, [run.logs / "gunicorn.access.log"])
    modes = {path.name: (path.stat().st_mode & 0o777, path.stat().st_uid) for path in (run.config, run.logs)}
    assert modes == {"config": (0o750, 0), "logs": (0o710, 0)}  # no name in them is that user's to change
    assert (run.logs / "gunicorn.access.log").stat().st_uid == 60999
    assert (run.config / "config.py").stat().st_gid == 60999
    (run.logs / "ledger.notes.log").symlink_to("/etc/passwd")
    run.take_back()
    assert {path.lstat().st_uid for path in run.path.rglob("*")} == {0}
    assert (run.logs / "gunicorn.access.log").stat().st_mode & 0o777 == 0o600
    assert Path("/etc/passwd").stat().st_mode & 0o777 == 0o644
