"""Which user gunicorn gets where the harness is root, and what this user is shown of closed folders."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness.backends.local import other_user
from harness.backends.local.other_user import choose_uid, choose_user, plan_view
from harness.core.model import Cell
from harness.engine.request import OwnSettings, RunRequest
from harness.engine.serving_user import find_need_of_root
from harness.stack.own_settings.replacing import Resolved, Row

UID = 60999


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A folder ``open/closed/inner`` whose middle nobody else may enter; all above it is taken for open."""
    (tmp_path / "closed" / "inner").mkdir(parents=True)
    (tmp_path / "closed" / "other").mkdir()
    (tmp_path / "closed").chmod(0o700)
    yield tmp_path
    (tmp_path / "closed").chmod(0o755)


def below(paths: tuple[str, ...], folder: Path) -> list[str]:
    """Those below a folder, relative to it: pytest's own folders above are closed, too."""
    return [str(Path(path).relative_to(folder)) for path in paths if Path(path).is_relative_to(folder / "closed")]


def test_of_a_closed_folder_only_what_is_needed_is_shown(place: Path) -> None:
    view = plan_view(UID, [place / "closed" / "inner"])
    assert below(view.covered, place) == ["closed"]
    assert below(view.shown, place) == ["closed/inner"]


def test_a_link_is_followed_and_put_back(place: Path) -> None:
    (place / "closed" / "other" / "name").symlink_to("../inner")
    view = plan_view(UID, [place / "closed" / "other" / "name"])
    assert below(view.shown, place) == ["closed/inner"]
    assert [(Path(path).name, target) for path, target in view.links] == [("name", "../inner")]


def test_a_needed_folder_that_is_closed_itself_is_shown_without_its_hidden_folders(place: Path) -> None:
    (place / "closed" / ".ssh").mkdir()
    (place / "closed" / ".env").touch()
    (place / "closed" / "app.py").touch()
    view = plan_view(UID, [place / "closed"])
    assert below(view.shown, place) == ["closed/.env", "closed/app.py", "closed/inner", "closed/other"]


def test_a_closed_folder_inside_a_shown_one_is_covered_in_its_turn(place: Path) -> None:
    deep = place / "closed" / "inner" / "shut" / "needed"
    deep.mkdir(parents=True)
    deep.parent.chmod(0o700)
    view = plan_view(UID, [place / "closed" / "inner", deep])
    assert below(view.covered, place) == ["closed", "closed/inner/shut"]
    assert below(view.shown, place) == ["closed/inner", "closed/inner/shut/needed"]


def test_where_all_is_open_nothing_is_covered() -> None:
    assert plan_view(UID, [Path("/usr")]).covered == ()


def test_too_much_in_closed_folders_is_refused(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(other_user, "MOST_SHOWN", 1)
    with pytest.raises(OSError, match="closed folders"):
        plan_view(UID, [place / "closed"])


def test_each_run_has_a_uid_of_its_own() -> None:
    uids = {choose_uid() for _ in range(5)}
    assert len(uids) == 5
    assert all(other_user.FIRST_UID <= uid <= other_user.LAST_UID for uid in uids)


def test_who_is_not_root_stays_who_they_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    user = choose_user([tmp_path], tmp_path, root_because=None, lend=lambda _uid: None)
    assert (user.uid, user.other, user.warning) == (1000, None, False)


def test_root_that_can_t_have_another_user_goes_on_and_says_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(_uid: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    user = choose_user([tmp_path], tmp_path, root_because=None, lend=refuse)
    assert (user.uid, user.other, user.warning) == (0, None, True)
    assert "Operation not permitted" in user.why
    asked = choose_user([tmp_path], tmp_path, root_because="--as-root was given", lend=refuse)
    assert (asked.uid, asked.why, asked.warning) == (0, "--as-root was given", False)


def test_settings_that_name_a_user_need_root(tmp_path: Path) -> None:
    request = RunRequest(cell=Cell(spec="23.0.0"), out=tmp_path)
    assert find_need_of_root(request) is None
    assert find_need_of_root(replace(request, as_root=True)) == "--as-root was given"
    row = Row(setting="user", yours="'www-data'", run_with="'www-data'", why="as in file")
    for run_with, found in (("'www-data'", "its settings name a user of their own"), ("None", None)):
        resolved = Resolved(cell=request.cell, rows=(replace(row, run_with=run_with),), text="", overrides={})
        own = OwnSettings(said="conf.py", resolved=resolved)
        assert find_need_of_root(replace(request, own=own)) == found
