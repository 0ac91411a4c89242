from __future__ import annotations

import getpass
import json
import socket
import stat
import string
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.core.errors import UsageError
from harness.records import unpack
from harness.records.redaction import Identity, make_scrubber, make_secret_finder
from harness.records.store import load_run
from harness.records.stored import StoredRun
from harness.records.unpack import open_attachment
from harness.report import attachment, cleaner
from harness.report.attachment import bundle
from harness.report.formats import FORMATS, PICTURES

RecordRun = Callable[..., StoredRun]
Entry = tuple[zipfile.ZipInfo, bytes]
SOMEBODY = Identity(home="/home/alice", user="alice", host="thinkpad.example.org")


@pytest.fixture
def archive(record_run: RecordRun, tmp_path: Path) -> Path:
    return bundle(record_run(), tmp_path / "run.zip")


def entries_of(archive: Path) -> list[Entry]:
    with zipfile.ZipFile(archive) as opened:
        return [(info, opened.read(info)) for info in opened.infolist()]


def rewrite(archive: Path, entries: list[Entry]) -> Path:
    with zipfile.ZipFile(archive, "w") as fresh:
        for info, content in entries:
            fresh.writestr(info, content)
    return archive


def test_same_record_same_bytes(record_run: RecordRun, tmp_path: Path) -> None:
    run = record_run()
    first, second = bundle(run, tmp_path / "a.zip"), bundle(run, tmp_path / "b.zip")
    assert first.read_bytes() == second.read_bytes()
    with load_run(first) as opened:
        assert bundle(opened, tmp_path / "c.zip").read_bytes() == first.read_bytes()


def test_layout_modes_and_place(record_run: RecordRun) -> None:
    run = record_run()
    (run.path / "reproduce.sh").write_text("#!/bin/sh\n")
    (run.path / "notes.private").write_text("not of the contract")
    (run.path / "logs" / "link").symlink_to("/etc/passwd")
    made = bundle(run)
    assert made == run.path.parent / f"{run.run_id}.zip"
    modes = {info.filename: stat.S_IMODE(info.external_attr >> 16) for info, _ in entries_of(made)}
    below = [name.removeprefix(f"{run.run_id}/") for name in modes]
    assert below[:-1] == sorted(below[:-1])
    assert below[-1] == "SHA256SUMS"
    assert {"cell.json", "events.jsonl", "config/h2o.conf", "logs/gunicorn.error.log"} <= set(below)
    assert not {"notes.private", "logs/link"} & set(below)
    assert modes[f"{run.run_id}/reproduce.sh"] == 0o755
    assert modes[f"{run.run_id}/cell.json"] == 0o644


def test_the_record_that_is_judged_is_the_same(archive: Path) -> None:
    run = load_run(archive.parent / "runs" / "20261120T181804Z-19.6.0-py3.6-gthread-unix-h2o-wrk-local")
    with load_run(archive) as opened:
        assert list(opened.events()) == list(run.events())
        assert (opened.cell, opened.verdict, opened.run_id) == (run.cell, run.verdict, run.run_id)


def test_long_logs_lose_their_middle_and_say_so(
    record_run: RecordRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attachment, "LOG_BYTES", 10_000)
    monkeypatch.setattr(attachment, "_KEPT_BYTES", 4_000)
    lines = [f"line {number}" for number in range(5_000)]
    run = record_run(logs={"h2o.error.log": "\n".join(lines) + "\n"}, config={"big.conf": "x" * 20_000})
    folder = open_attachment(bundle(run, tmp_path / "a.zip"), tmp_path)
    kept = (folder / "logs/h2o.error.log").read_text().splitlines()
    marks = [line for line in kept if line.startswith("[... ")]
    assert len(marks) == 1
    assert kept[0] == "line 0"
    assert kept[-1] == "line 4999"
    left_out = int(marks[0].split()[1])
    whole = sum(len(line) + 1 for line in lines)
    assert left_out + sum(len(line) + 1 for line in kept if line not in marks) >= whole
    assert len("\n".join(kept)) < 10_000
    assert (folder / "config/big.conf").stat().st_size == 20_000


def test_home_user_and_host_stay_out(record_run: RecordRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleaner, "current_identity", lambda: SOMEBODY)
    log = "File /home/alice/app.py on thinkpad, /home/bob/x.py, /tmp/pytest-of-alice/1, alice@thinkpad.example.org\n"
    run = record_run(logs={"a.log": log})
    folder = open_attachment(bundle(run, tmp_path / "a.zip"), tmp_path)
    text = (folder / "logs/a.log").read_text()
    assert text == "File ~/app.py on host, ~/x.py, /tmp/pytest-of-user/1, user@host\n"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'{"role": "thinkpad", "path": "/home/alice"}', b'{"role": "thinkpad", "path": "~"}'),
        (b"/home/alice-b/x /srv/home/alice/y", b"~/x /srv/home/user/y"),
        (b"malice thinkpads", b"malice thinkpads"),
        (b"\xff\xfe /home/alice/", b"\xff\xfe ~/"),
        (b"file:///home/alice.", b"file://~."),
    ],
)
def test_scrubbing_knows_its_borders(line: bytes, expected: bytes) -> None:
    scrub = make_scrubber(SOMEBODY)
    assert scrub(line) == expected
    assert scrub(scrub(line)) == expected


def test_this_machines_names_are_known(record_run: RecordRun, tmp_path: Path) -> None:
    home, host = str(Path.home()), socket.gethostname()
    run = record_run(logs={"a.log": f"{home}/x {host}: {getpass.getuser()}@\n"})
    folder = open_attachment(bundle(run, tmp_path / "a.zip"), tmp_path)
    text = (folder / "logs/a.log").read_text()
    assert f"{home}/" not in text
    assert host == "localhost" or host not in text


@pytest.mark.parametrize("name", ["MY_TOKEN", "a_secret_b", "DB_PASSWORD", "API_KEY_2"])
def test_a_secret_in_the_facts_is_refused(
    record_run: RecordRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, 'h"nter2')
    run = record_run(facts={"environment": {"OPTS": 'a h"nter2 b'}})
    with pytest.raises(UsageError, match=name) as caught:
        bundle(run, tmp_path / "a.zip")
    assert "hunter2" not in str(caught.value)
    assert [entry.name for entry in tmp_path.iterdir()] == ["runs"]


def test_the_value_of_a_secret_variable_goes_wherever_it_stands(
    record_run: RecordRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("USE_KEYRING", "1")
    monkeypatch.setenv("DEPLOY_CREDS", "abc123def456")
    run = record_run(logs={"gunicorn.error.log": "the answer was abc123def456, twice abc123def456\n"})
    said: list[str] = []
    texts = texts_of(bundle(run, tmp_path / "a.zip", say=said.append))
    assert "abc123def456" not in "".join(texts.values())
    assert texts["logs/gunicorn.error.log"] == "the answer was [redacted], twice [redacted]\n"
    assert "Redacted: logs/gunicorn.error.log: the value of DEPLOY_CREDS, 2 times" in said


SETTINGS = """
raw_env = ["DATABASE_URL=postgres://shop:hunter2hunter2@db/shop", "API_TOKEN=hunter2hunter2"]
secret = 'hunter2hunter2'
"""


def test_secrets_of_the_user_s_go_from_every_file(record_run: RecordRun, tmp_path: Path) -> None:
    facts = {"index": "https://me:hunter2hunter2@mirror.example/simple", "environment": {"X_TOKEN": "hunter2hunter2"}}

    def edit(stored: dict[str, Any]) -> None:
        stored["findings"][0]["culprit"]["source"] = ["connect(password='hunter2hunter2')"]

    logs = {"gunicorn.error.log": "GET /?token=hunter2hunter2\nERROR Authorization: Bearer hunter2hunter2\n"}
    run = record_run(facts=facts, config={"config.py": SETTINGS}, logs=logs, edit=edit)
    with (run.path / "events.jsonl").open("a") as stream:
        event = {"at_ns": 2000, "kind": "fault", "outcome": "error", "type": "X", "what": "password=hunter2hunter2"}
        stream.write(json.dumps(event) + "\n")
    said: list[str] = []
    archive = bundle(run, tmp_path / "a.zip", say=said.append)
    assert [name for name, text in texts_of(archive).items() if "hunter2" in text] == []
    assert said[0].startswith("Copied: config/config.py")
    assert len(said) >= 6
    for name in ("facts.json", "verdict.json", "cell.json"):
        json.loads(texts_of(archive)[name])
    with load_run(archive) as stored:
        assert [event.kind for event in stored.events()][-1] == "fault"
        again = bundle(stored, tmp_path / "b.zip")
    assert texts_of(again) == texts_of(archive)


TEXTS = [name for name in FORMATS if name not in PICTURES]


@pytest.mark.parametrize("name", TEXTS)
def test_and_from_every_report(record_run: RecordRun, name: str) -> None:
    def edit(stored: dict[str, Any]) -> None:
        stored["findings"][0]["culprit"]["source"] = ["connect(password='hunter2hunter2')"]
        stored["findings"][0]["detail"] = "at https://me:hunter2hunter2@mirror.example/simple"

    logs = {"gunicorn.error.log": "ERROR Authorization: Bearer hunter2hunter2\n"}
    run = record_run(config={"config.py": SETTINGS}, logs=logs, edit=edit)
    assert "hunter2" not in str(FORMATS[name](run))


@pytest.mark.parametrize("content", ["the gate is open\n", "\0\1\2binary"])
def test_where_nobody_can_tell_it_is_refused_or_forced(
    record_run: RecordRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    monkeypatch.setenv("GATE_PASS", "the gate")
    monkeypatch.setenv("GATE_KEY", "opensesame")
    run = record_run(logs={"a.log": content.replace("open", "opensesame")})
    with pytest.raises(UsageError, match=r"a\.log .*nothing was written") as caught:
        bundle(run, tmp_path / "a.zip")
    assert "--force" in caught.value.remedy
    assert not (tmp_path / "a.zip").exists()
    assert bundle(run, tmp_path / "a.zip", force=True).exists()


def texts_of(archive: Path) -> dict[str, str]:
    """The files of an attachment by their name below its folder."""
    with zipfile.ZipFile(archive) as opened:
        return {name.partition("/")[2]: opened.read(name).decode() for name in opened.namelist()}


def test_secrets_are_found_inside_json_too() -> None:
    find = make_secret_finder({"A_KEY": 'pass"wörd1'})
    assert find(json.dumps({"x": 'pass"wörd1'}).encode()) == "A_KEY"
    assert find('plain pass"wörd1'.encode()) == "A_KEY"
    assert find(b"nothing") is None


def named(name: str, mode: int = stat.S_IFREG | 0o644) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("placeholder")
    info.filename = info.orig_filename = name  # round the cleaning that ZipInfo does for well-meant names
    info.external_attr = mode << 16
    return info


TOP = "20261120T181804Z-19.6.0-py3.6-gthread-unix-h2o-wrk-local"


@pytest.mark.parametrize(
    ("name", "mode", "says"),
    [
        ("/etc/cron.d/x", 0o100644, "may not be used"),
        (f"{TOP}/../../x", 0o100644, "may not be used"),
        (f"{TOP}/./x", 0o100644, "may not be used"),
        (f"{TOP}//x", 0o100644, "may not be used"),
        (f"{TOP}\\x", 0o100644, "may not be used"),
        (f"{TOP}/C:x", 0o100644, "may not be used"),
        (f"{TOP}/a\nb", 0o100644, "may not be used"),
        (f"{TOP}/{'x' * 300}", 0o100644, "may not be used"),
        ("other/x", 0o100644, "one run's folder"),
        ("x", 0o100644, "may not be used"),
        ("-rf/x", 0o100644, "no run's name"),
        (f"{TOP}/link", 0o120777, "not a regular file"),
        (f"{TOP}/device", 0o020666, "not a regular file"),
        (f"{TOP}/pipe", 0o010666, "not a regular file"),
        (f"{TOP}/folder/", 0o040755, "not a regular file"),
        (f"{TOP}/CELL.json", 0o100644, "two entries"),
        (f"{TOP}/cell.json/x", 0o100644, "both as a file and as a folder"),
        (f"{TOP}/extra.txt", 0o100644, "extra file 'extra.txt'"),
    ],
)
def test_hostile_entries_are_refused(archive: Path, tmp_path: Path, name: str, mode: int, says: str) -> None:
    rewrite(archive, [*entries_of(archive), (named(name, mode), b"boo")])
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UsageError, match=says):
        open_attachment(archive, tmp_path)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_duplicates_missing_and_changed_files_are_named(archive: Path, tmp_path: Path) -> None:
    entries = entries_of(archive)
    by_name = {info.filename.removeprefix(f"{TOP}/"): index for index, (info, _) in enumerate(entries)}
    cell = by_name["cell.json"]
    changed = [*entries[:cell], (entries[cell][0], b"{}"), *entries[cell + 1 :]]
    spoiled = {
        "two entries": [*entries, entries[cell]],
        r"lacks the file 'cell\.json'": entries[:cell] + entries[cell + 1 :],
        r"changed file '.*cell\.json'": changed,
        "does not hold one run's folder": [entry for entry in entries if not entry[0].filename.endswith("SHA256SUMS")],
    }
    for says, now in spoiled.items():
        rewrite(archive, now)
        with pytest.raises(UsageError, match=says):
            open_attachment(archive, tmp_path)
        assert not (tmp_path / TOP).exists()


def test_damage_is_a_usage_error(archive: Path, tmp_path: Path) -> None:
    raw = bytearray(archive.read_bytes())
    raw[200:260] = bytes(60)
    archive.write_bytes(raw)
    with pytest.raises(UsageError, match="damaged"):
        load_run(archive)
    raw[-6:-2] = (2**31).to_bytes(4, "little")
    archive.write_bytes(raw)
    with pytest.raises(UsageError, match="table of contents is not where it says"):
        open_attachment(archive, tmp_path)
    archive.write_bytes(b"PK\x05\x06 not really")
    with pytest.raises(UsageError):
        open_attachment(archive, tmp_path)


def test_too_many_entries_are_refused(archive: Path, tmp_path: Path) -> None:
    many = [(named(f"{TOP}/logs/{number}"), b"") for number in range(2001)]
    rewrite(archive, [*entries_of(archive), *many])
    with pytest.raises(UsageError, match="more than 2000 entries"):
        open_attachment(archive, tmp_path)


def test_bombs_are_stopped_by_what_comes_out(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "RATIO_FREE_BYTES", 2**20)
    bomb, sums = named(f"{TOP}/logs/bomb"), entries_of(archive)[-1]
    bomb.compress_type = zipfile.ZIP_DEFLATED
    promised = sums[1] + b"0" * 64 + b"  logs/bomb\n"
    rewrite(archive, [*entries_of(archive)[:-1], (bomb, bytes(64 * 2**20)), (sums[0], promised)])
    with pytest.raises(UsageError, match="100 times its size"):
        open_attachment(archive, tmp_path)
    monkeypatch.setattr(unpack, "MOST_BYTES", 2**20)
    with pytest.raises(UsageError, match="more than 1048576 bytes"):
        open_attachment(archive, tmp_path)
    assert not (tmp_path / TOP).exists()


def test_nothing_is_written_through_what_was_there(archive: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    into = tmp_path / "into"
    into.mkdir()
    (into / TOP).symlink_to(outside)
    with pytest.raises(UsageError, match="exists already"):
        open_attachment(archive, into)
    assert list(outside.iterdir()) == []


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    parts=st.lists(
        st.one_of(st.sampled_from(["..", ".", "", TOP, "C:", "~", "a\\b"]), st.text(string.printable, max_size=8)),
        min_size=1,
        max_size=5,
    )
)
def test_no_name_leads_outside(record_run: RecordRun, tmp_path: Path, parts: list[str]) -> None:
    name, content = "/".join(parts), b"boo"
    base = tmp_path / "base"
    if not base.exists():
        base.mkdir()
        (base / "whole.zip").write_bytes(bundle(record_run(), tmp_path / "whole.zip").read_bytes())
    entries = entries_of(base / "whole.zip")
    for info, _ in entries:
        info.compress_type = zipfile.ZIP_STORED  # the names are what counts
    rewrite(tmp_path / "hostile.zip", [*entries, (named(name), content)])
    before = {path for path in tmp_path.rglob("*") if base not in path.parents}
    with pytest.raises(UsageError):
        open_attachment(tmp_path / "hostile.zip", base)
    assert {path for path in tmp_path.rglob("*") if base not in path.parents} == before
    assert [path.name for path in base.iterdir()] == ["whole.zip"]
