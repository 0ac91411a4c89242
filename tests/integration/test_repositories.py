"""A repository's configuration names programs; git, as the harness runs it, starts none of them."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path, PurePath

import pytest

from harness.core.errors import UsageError
from harness.provision.repositories import export_commit, resolve_revision, run_git
from harness.provision.sources import copy_files, digest_files, list_files
from harness.provision.spec import GitRevision


def git(repository: Path, *arguments: str) -> None:
    environ = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", *who, *arguments], cwd=repository, env=environ, check=True, capture_output=True)  # noqa: S607


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A checkout that does harm where it is trusted: each program leaves a file behind."""
    tree = tmp_path / "checkout"
    (tree / "gunicorn").mkdir(parents=True)
    (tree / "gunicorn" / "__init__.py").write_text('__version__ = "99.0"\n')
    (tree / ".gitattributes").write_text("*.py filter=evil\n*.txt filter=a=b\n")
    (tree / "notes.txt").write_text("notes\n")
    git(tree, "init", "--quiet")
    git(tree, "add", "--all")
    git(tree, "commit", "--quiet", "--message", "all")
    evil = tmp_path / "evil"
    evil.write_text(f'#!/bin/sh\necho "$0 $*" >> {tmp_path}/ran\ncat\n')
    evil.chmod(0o755)
    hooks = tree / ".git" / "hooks"
    for hook in ("post-checkout", "post-index-change", "fsmonitor-watchman", "reference-transaction"):
        (hooks / hook).write_text(evil.read_text())
        (hooks / hook).chmod(0o755)
    for name in ("core.fsmonitor", "core.sshCommand", "core.pager", "credential.helper", "diff.external"):
        git(tree, "config", name, str(evil))
    for driver in ("evil", "a=b"):
        for key in ("smudge", "clean", "process"):
            git(tree, "config", f"filter.{driver}.{key}", str(evil))
        git(tree, "config", f"filter.{driver}.required", "true")
    git(tree, "config", "remote.origin.url", f"ext::{evil}")
    git(tree, "config", "remote.origin.promisor", "true")
    git(tree, "config", "extensions.partialClone", "origin")
    git(tree, "config", "protocol.ext.allow", "always")
    return tree


def ran(folder: Path) -> str:
    told = folder / "ran"
    return told.read_text() if told.exists() else ""


def test_a_checkout_that_is_only_listed_runs_nothing(repository: Path, tmp_path: Path) -> None:
    (repository / "gunicorn" / "new.py").write_text("x = 1\n")
    assert {str(name) for name in list_files(repository)} >= {"gunicorn/__init__.py", "gunicorn/new.py", "notes.txt"}
    digest_files(repository)
    copy_files(repository, tmp_path / "copy")
    assert ran(tmp_path) == ""


def test_nor_does_a_commit_that_is_written_out(repository: Path, tmp_path: Path) -> None:
    commit = resolve_revision(GitRevision(repository=repository, revision="HEAD"))
    export_commit(repository, commit, tmp_path / "out")
    assert (tmp_path / "out" / "gunicorn" / "__init__.py").read_text() == '__version__ = "99.0"\n'
    assert (tmp_path / "out" / "notes.txt").read_text() == "notes\n"
    assert ran(tmp_path) == ""


def test_nor_does_an_object_that_is_missing(repository: Path, tmp_path: Path) -> None:
    """git would fetch it, by whatever transport the repository names."""
    commit = resolve_revision(GitRevision(repository=repository, revision="HEAD"))
    blob = run_git(repository, "rev-parse", "HEAD:notes.txt").stdout.strip()
    (repository / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(Exception, match="git can't write commit"):
        export_commit(repository, commit, tmp_path / "out")
    assert ran(tmp_path) == ""


EVILS = {
    "a hook": ("post-index-change", ["update-index", "--refresh"]),
    "a monitor": ("core.fsmonitor", ["ls-files", "--others", "--modified"]),
    "a filter": ("filter.evil.clean", ["status", "--porcelain"]),
    "a transport": ("remote.origin.url", ["fetch", "origin"]),
}


@pytest.mark.parametrize("evil", EVILS)
def test_git_alone_would_run_each_of_them_and_never_does_here(evil: str, tmp_path: Path) -> None:
    key, command = EVILS[evil]
    tree, program = tmp_path / "checkout", tmp_path / "evil"
    tree.mkdir()
    (tree / ".gitattributes").write_text("*.py filter=evil\n")
    (tree / "a.py").write_text("x = 1\n")
    git(tree, "init", "--quiet")
    git(tree, "add", "--all")
    git(tree, "commit", "--quiet", "--message", "all")
    program.write_text(f'#!/bin/sh\necho "$0 $*" >> {tmp_path}/ran\nexit 1\n')
    program.chmod(0o755)
    if "." in key:
        git(tree, "config", key, f"ext::{program}" if evil == "a transport" else str(program))
        git(tree, "config", "protocol.ext.allow", "always")
    else:
        (tree / ".git" / "hooks" / key).write_text(program.read_text())
        (tree / ".git" / "hooks" / key).chmod(0o755)
    os.utime(tree / "a.py", (1, 1))  # so that git has to look at it again
    run_git(tree, *command)
    list_files(tree)
    assert ran(tmp_path) == ""
    os.utime(tree / "a.py", (2, 2))
    subprocess.run(["git", *command], cwd=tree, check=False, capture_output=True, stdin=subprocess.DEVNULL)  # noqa: S607
    assert ran(tmp_path) != ""


def test_an_index_made_by_hand_leads_nowhere_else(tmp_path: Path) -> None:
    """git lists whatever name stands there; copied, it would be written beside the copy."""
    tree = tmp_path / "checkout"
    tree.mkdir()
    for name in ("aa/evil", "a.py"):
        (tree / name).parent.mkdir(exist_ok=True)
        (tree / name).write_text("x = 1\n")
    git(tree, "init", "--quiet")
    git(tree, "add", "--all")
    index = tree / ".git" / "index"
    content = index.read_bytes()[:-20].replace(b"aa/evil", b"../evil")
    index.write_bytes(content + hashlib.sha1(content, usedforsecurity=False).digest())
    (tmp_path / "evil").write_text("written by others\n")
    listed = subprocess.run(["git", "ls-files"], cwd=tree, check=True, capture_output=True, text=True)  # noqa: S607
    assert "../evil" in listed.stdout
    assert PurePath("../evil") not in list_files(tree)
    (tmp_path / "place").mkdir()
    copy_files(tree, tmp_path / "place" / "copy")
    assert [path.name for path in (tmp_path / "place").iterdir()] == ["copy"]


def test_a_folder_that_has_become_a_link_is_not_followed(tmp_path: Path) -> None:
    tree = tmp_path / "checkout"
    (tree / "sub").mkdir(parents=True)
    (tree / "sub" / "passwd").write_text("mine\n")
    git(tree, "init", "--quiet")
    git(tree, "add", "--all")
    shutil.rmtree(tree / "sub")
    (tree / "sub").symlink_to("/etc")
    assert list_files(tree) == (PurePath("sub"),)


@pytest.mark.parametrize("versioned", [True, False])
def test_what_is_no_file_is_left_out(tmp_path: Path, versioned: bool) -> None:
    tree = tmp_path / "checkout"
    tree.mkdir()
    (tree / "a.py").write_text("x = 1\n")
    if versioned:
        git(tree, "init", "--quiet")
    os.mkfifo(tree / "fifo")
    (tree / "link").symlink_to("fifo")
    assert set(list_files(tree)) == {PurePath("a.py"), PurePath("link")}
    assert digest_files(tree)


def test_a_file_of_any_length_is_not_read_into_memory(tmp_path: Path) -> None:
    with (tmp_path / "a.py").open("wb") as stream:
        stream.truncate(2**40)
    with pytest.raises(UsageError, match="holds 1099511627776 bytes, more than"):
        digest_files(tmp_path)
