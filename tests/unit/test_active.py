"""What a killed harness leaves behind is listed, and a damaged list is no reason to leave the rest."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from harness.cli.cleaning import sweep_all
from harness.core import active, reaper

DEAD = [2**22 - 1, 1]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RECYCLE_HARNESS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache" / active.FOLDER).mkdir(parents=True)
    return tmp_path / "cache"


@pytest.mark.parametrize(
    "damaged",
    [
        "",
        "{",
        "[]",
        "null",
        '{"harness": 7}',
        '{"harness": ["x", 1]}',
        '{"harness": [4194303, 1]}',
        "\xff",
        "[" * 100_000,
    ],
    ids=range(9),
)
def test_a_damaged_list_ends_neither_clean_nor_what_comes_after_it(cache: Path, tmp_path: Path, damaged: str) -> None:
    left = tmp_path / "left"
    left.mkdir()
    (cache / active.FOLDER / "a.json").write_text(damaged, encoding="latin-1")
    active.note(active.file_of("b"), _content(what="run /r", run="/r", folders=[str(left)]))
    said = "\n".join(sweep_all(everything=False))
    assert "damaged list" in said
    assert "interrupted run /r" in said
    assert not left.exists()
    assert list((cache / active.FOLDER).iterdir()) == []


def test_a_fifo_for_a_list_is_not_waited_for(cache: Path) -> None:
    os.mkfifo(cache / active.FOLDER / "a.json")
    assert "damaged list" in "\n".join(sweep_all(everything=False))


def test_only_a_run_has_a_record_to_judge(cache: Path) -> None:
    active.note(active.file_of("a"), _content(what="bundle /x.zip", run=None, folders=[]))
    said = "\n".join(sweep_all(everything=False))
    assert "interrupted bundle /x.zip" in said
    assert "harness judge" not in said


def test_what_is_removed_may_be_a_file_a_folder_or_a_link_and_a_link_is_not_followed(tmp_path: Path) -> None:
    kept, file, folder, link = (tmp_path / name for name in ("kept", "file", "folder", "link"))
    for one in (kept, folder):
        one.mkdir()
        (one / "inside").touch()
    file.touch()
    link.symlink_to(kept)
    reaper.remove(map(str, (file, folder, link, tmp_path / "missing")))
    assert sorted(tmp_path.glob("k*/*")) == [kept / "inside"]
    assert not any(one.exists() or one.is_symlink() for one in (file, folder, link))


def _content(*, what: str, run: str | None, folders: list[str]) -> dict[str, object]:
    return json.loads(  # type: ignore[no-any-return]
        json.dumps({"marker": "m", "what": what, "run": run, "harness": DEAD, "leaders": [], "folders": folders})
    )
