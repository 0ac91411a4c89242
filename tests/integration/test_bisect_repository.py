"""Commits, forks and patched states, in small repositories that are made here."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from harness.core.errors import UsageError
from harness.provision.repositories import run_git
from harness.studies.bisect.conduct import Ends
from harness.studies.bisect.forks import enter_commits
from harness.studies.bisect.patching import Patched, Scratch, split_hunks
from harness.studies.bisect.repository import Repository, open_repository
from harness.studies.bisect.search import Direction
from harness.studies.bisect.stages import Stage, make_revision_stage
from harness.studies.sightings.signs import Sign

LINES = [f"line {number}" for number in range(40)]


def git(folder: Path, *arguments: str) -> str:
    settings = ("-c", "user.name=x", "-c", "user.email=x@localhost", "-c", "commit.gpgsign=false")
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(
        ["git", "-C", str(folder), *settings, *arguments],  # noqa: S607 - the machine's git
        check=True,
        capture_output=True,
        text=True,
        env=environ,
    )
    return done.stdout.strip()


def commit(folder: Path, file: str, text: str) -> str:
    (folder / file).parent.mkdir(exist_ok=True)
    (folder / file).write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", f"change {file}")
    return git(folder, "rev-parse", "HEAD")


def text_with(**changed: str) -> str:
    lines = [changed.get(f"at{number}", line) for number, line in enumerate(LINES)]
    return "\n".join(lines) + "\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "re po"
    place.mkdir()
    git(place, "init", "-q", "-b", "main")
    return place


@pytest.fixture
def repository(folder: Path) -> Repository:
    return open_repository(folder)


def show(scratch_spec: str | None, file: str) -> str:
    assert scratch_spec is not None
    place, _, made = scratch_spec.removeprefix("git+file://").rpartition("@")
    return run_git(Path(place), "show", f"{made}:{file}").stdout


def test_changes_are_those_of_the_package_with_their_graph(folder: Path, repository: Repository) -> None:
    first = commit(folder, "gunicorn/a.py", text_with())
    git(folder, "tag", "19.2")
    commit(folder, "README", "no suspect")
    second = commit(folder, "gunicorn/a.py", text_with(at3="three"))
    git(folder, "checkout", "-qb", "side", first)
    side = commit(folder, "gunicorn/b.py", "side")
    git(folder, "checkout", "-q", "main")
    git(folder, "merge", "-q", "--no-ff", "-m", "merge", "side")
    merge = git(folder, "rev-parse", "HEAD")
    history = repository.list_changes(first, merge)
    places = {name: place for place, name in enumerate(history.names)}
    assert set(places) == {second, side, merge}
    assert history.parents[places[second]] == history.parents[places[side]] == ()
    assert set(history.parents[places[merge]]) == {places[second], places[side]}
    assert repository.find_release("19.2.0") == first
    assert repository.find_release("19.3.0") is None
    assert repository.describe(second).subject == "change gunicorn/a.py"


def test_a_change_is_taken_back_and_put_on(folder: Path, repository: Repository, tmp_path: Path) -> None:
    old = commit(folder, "gunicorn/a.py", text_with())
    change = commit(folder, "gunicorn/a.py", text_with(at3="three"))
    new = commit(folder, "gunicorn/a.py", text_with(at3="three", at30="thirty"))
    before = git(folder, "count-objects", "-v")
    scratch = Scratch(repository, tmp_path / "proof.git")
    back = scratch.apply_whole(change, on=new, reverse=True)
    assert back.whole
    assert show(back.spec, "gunicorn/a.py") == text_with(at30="thirty")
    put = scratch.apply_whole(change, on=old, reverse=False)
    assert show(put.spec, "gunicorn/a.py") == text_with(at3="three")
    assert Scratch(repository, tmp_path / "proof.git").apply_whole(change, on=new, reverse=True) == back
    assert git(folder, "count-objects", "-v") == before  # nothing was written into the user's repository
    assert git(folder, "status", "--porcelain") == ""


def test_hunks_and_files_where_the_whole_does_not_apply(folder: Path, repository: Repository, tmp_path: Path) -> None:
    commit(folder, "gunicorn/a.py", text_with())
    change = commit(folder, "gunicorn/a.py", text_with(at3="three", at30="thirty"))
    new = commit(folder, "gunicorn/a.py", text_with(at3="other", at30="thirty"))
    scratch = Scratch(repository, tmp_path / "proof.git")
    assert scratch.apply_whole(change, on=new, reverse=True) == Patched(spec=None, applied=0, hunks=2)
    hunks = scratch.apply_hunks(change, on=new, reverse=True)
    assert (hunks.applied, hunks.hunks, hunks.whole) == (1, 2, False)
    assert show(hunks.spec, "gunicorn/a.py") == text_with(at3="other")
    files = scratch.take_files(change, on=new, of=repository.resolve(f"{change}^1"))
    assert show(files.spec, "gunicorn/a.py") == text_with()


def test_a_file_that_came_with_the_change_is_taken_away(folder: Path, repository: Repository, tmp_path: Path) -> None:
    old = commit(folder, "gunicorn/a.py", "a")
    change = commit(folder, "gunicorn/b.py", "b")
    scratch = Scratch(repository, tmp_path / "proof.git")
    taken = scratch.take_files(change, on=change, of=old)
    assert show(taken.spec, "gunicorn/b.py") == ""
    assert len(list(split_hunks(repository.diff(change)))) == 1


@pytest.mark.parametrize("like_old", [True, False])
def test_at_a_fork_the_side_is_found_by_a_run(folder: Path, repository: Repository, *, like_old: bool) -> None:
    base = commit(folder, "gunicorn/a.py", "base")
    new = commit(folder, "gunicorn/a.py", "new")
    git(folder, "checkout", "-qb", "other", base)
    old = commit(folder, "gunicorn/a.py", "old")
    stage = make_revision_stage(repository, old, new)
    assert stage.forked
    ran: list[Stage] = []

    def run_base(one: Stage, times: int) -> list[Sign]:
        ran.append(one)
        return [Sign.ABSENT if like_old else Sign.SHOWN] * times

    entry = enter_commits(
        repository,
        old,
        new,
        ends=Ends(old=(0, 4), new=(4, 0), direction=Direction.INTRODUCED),
        direction=Direction.INTRODUCED,
        run_base=run_base,
        say=lambda _text: None,
    )
    assert entry is not None
    assert {one.old for one in ran} == {base}
    assert entry.stage.history.names == ((new,) if like_old else (old,))
    assert entry.direction is (Direction.INTRODUCED if like_old else Direction.REPAIRED)
    assert sum(entry.ends.old) > 4


def test_what_is_no_repository_is_refused(tmp_path: Path, folder: Path, repository: Repository) -> None:
    with pytest.raises(UsageError, match="no git repository"):
        open_repository(tmp_path / "nowhere")
    commit(folder, "gunicorn/a.py", "a")
    with pytest.raises(UsageError, match="no commit 'nothing'"):
        repository.resolve("nothing")
    with pytest.raises(UsageError, match="No commit between"):
        make_revision_stage(repository, "HEAD", "HEAD")
