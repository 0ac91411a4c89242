"""Reads a user's repository with git, and lets it run nothing: no hook, no monitor, no filter, no transport.

A repository's own configuration names programs that git runs while it merely lists files or writes a commit. A checkout
that is only looked at must not be able to run one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.core.errors import SurroundingsError, UsageError
from harness.provision.spec import GitRevision

GIT_TIMEOUT_S = 120.0
SHORT = 7
"""How many digits of a commit or digest a label shows, as git does."""

_LOCAL = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE")
_RUNS_NOTHING = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "core.sshCommand": "false",
    "core.askPass": "false",
    "credential.helper": "",
    **{f"protocol.{name}allow": "never" for name in ("", "ext.", "file.", "git.", "http.", "https.", "ssh.")},
}
_FILTERS = {"smudge": "", "clean": "", "process": "", "required": "false"}


def resolve_revision(spec: GitRevision) -> str:
    """The full id of the commit that a revision names.

    Raises:
        UsageError: the repository has no such commit.
    """
    if shutil.which("git") is None:
        raise SurroundingsError(what=f"git is missing, {spec.repository} can't be read", remedy="install git")
    found = run_git(spec.repository, "rev-parse", "--verify", "--end-of-options", f"{spec.revision}^{{commit}}")
    if found.returncode == 0:
        return found.stdout.strip()
    if "dubious ownership" in found.stderr:
        raise SurroundingsError(
            what=f"git does not trust {spec.repository}: it belongs to another user",
            remedy=f"git config --global --add safe.directory {spec.repository}",
        )
    said = " ".join(found.stderr.split()) or f"exit status {found.returncode}"
    raise UsageError(
        what=f"git finds no commit {spec.revision!r} in {spec.repository}: {said}",
        remedy="name a branch, a tag or a commit of that repository (and git fetch it first)",
    )


def export_commit(repository: Path, commit: str, folder: Path) -> None:
    """Write the files of a commit or tree into a new folder; the repository is only read."""
    folder.mkdir()
    index = folder.with_name(f"{folder.name}.index")
    git_dir = run_git(repository, "rev-parse", "--absolute-git-dir").stdout.strip()
    for arguments in (("read-tree", commit), ("checkout-index", "--all", "--force")):
        done = run_git(
            repository, f"--git-dir={git_dir}", f"--work-tree={folder}", *arguments, cwd=folder, index=str(index)
        )
        if done.returncode != 0:
            said = " ".join(done.stderr.split())
            raise SurroundingsError(what=f"git can't write commit {commit[:SHORT]} of {repository}: {said}")
    index.unlink(missing_ok=True)


def run_git(
    repository: Path, *arguments: str, cwd: Path | None = None, index: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run git on a repository, free of what a surrounding hook set, and without running anything of the repository's.

    Raises:
        SurroundingsError: it took too long.
    """
    listed = _run(repository, ["config", "--null", "--name-only", "--get-regexp", r"^filter\."], _RUNS_NOTHING, None)
    drivers = {name.partition(".")[2].rpartition(".")[0] for name in listed.stdout.split("\0") if name}
    filters = {f"filter.{driver}.{key}": value for driver in drivers for key, value in _FILTERS.items()}
    return _run(cwd or repository, arguments, {**_RUNS_NOTHING, **filters}, index)


def _run(
    place: Path, arguments: Sequence[str], config: Mapping[str, str], index: str | None
) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if name not in _LOCAL}
    environ |= {"LC_ALL": "C", "GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0", "GIT_ATTR_NOSYSTEM": "1"}
    environ |= {"GIT_CONFIG_COUNT": str(len(config))}  # a name may hold "=", which -c would split at
    for number, (name, value) in enumerate(config.items()):
        environ |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    if index is not None:
        environ["GIT_INDEX_FILE"] = index
    try:
        return subprocess.run(
            ["git", "-C", str(place), *arguments],  # noqa: S607 - the user's git
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            timeout=GIT_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise SurroundingsError(what=f"git {arguments[0]} in {place} took over {GIT_TIMEOUT_S:g} s") from error
