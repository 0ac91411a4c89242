"""What a checkout is called in a table, with real repositories."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness.provision.distance import describe_distance
from harness.provision.spec import GitRevision, Tree


def git(repository: Path, *arguments: str) -> str:
    name = ("-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false")
    argv = ["git", "-C", str(repository), *name, *arguments]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two commits on top of the tag 27.0.1, and the version still says that it is 27.0.1."""
    (tmp_path / "gunicorn").mkdir()
    (tmp_path / "gunicorn" / "__init__.py").write_text("version_info = (27, 0, 1)\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "27.0.1")
    git(tmp_path, "tag", "27.0.1")
    for number in range(2):
        git(tmp_path, "commit", "--quiet", "--allow-empty", "-m", f"change {number}")
    return tmp_path


def test_a_checkout_and_a_commit_are_called_by_their_distance_from_a_release(repository: Path) -> None:
    head, first = git(repository, "rev-parse", "--short=7", "HEAD"), git(repository, "rev-parse", "--short=7", "HEAD~1")
    assert describe_distance(Tree(path=repository)) == f"27.0.1 + 2 commits ({head})"
    assert describe_distance(GitRevision(repository=repository, revision="HEAD~1")) == f"27.0.1 + 1 commit ({first})"
    (repository / "gunicorn" / "__init__.py").write_text("version_info = (27, 0, 1)  # changed\n")
    assert describe_distance(Tree(path=repository)) == f"27.0.1 + 2 commits ({head}, changed)"


def test_a_folder_without_git_is_called_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "gunicorn").mkdir()
    (tmp_path / "gunicorn" / "__init__.py").write_text("version_info = (27, 0, 1)\n")
    called = describe_distance(Tree(path=tmp_path))
    assert called.startswith("checkout ")
    (tmp_path / "gunicorn" / "app.py").write_text("")
    assert describe_distance(Tree(path=tmp_path)) != called
