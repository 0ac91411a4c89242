"""What a checkout, an archive or a commit is called in a table: never the release that it says it is."""

from __future__ import annotations

import shutil
from pathlib import Path

from harness.core.patterns import pattern
from harness.core.text import plural
from harness.provision.repositories import SHORT, run_git
from harness.provision.sources import describe_source
from harness.provision.spec import Archive, GitRevision, Tree

_DESCRIBED = pattern(r"(?P<tag>.+)-(?P<distance>[0-9]+)-g(?P<commit>[0-9a-f]+)(?P<dirty>-dirty)?")


def describe_distance(spec: Tree | Archive | GitRevision) -> str:
    """``27.0.1 + 14 commits (1a2b3c4)``: the last tag, how far behind it lies, and the commit.

    Without tags it is the commit alone; without git, a digest of the content.

    Raises:
        UsageError: the path or the revision does not exist.
    """
    source = describe_source(spec)
    if isinstance(spec, GitRevision):
        said = _describe(spec.repository, str(source.revision))
    elif isinstance(spec, Tree) and (spec.path / ".git").exists():
        said = _describe(spec.path, "--dirty")
    else:
        said = None
    if said is None:
        digest = str(source.revision).rpartition(":")[2][:SHORT]
        return f"{_kind(spec)} {digest}"
    return said


def parse_described(text: str) -> str:
    """What ``git describe --long --always`` says, as a person would."""
    found = _DESCRIBED.fullmatch(text)
    if found is None:
        commit, _, dirty = text.partition("-")
        return f"commit {commit}" + (", changed" if dirty else "")
    changed = ", changed" if found["dirty"] else ""
    return f"{found['tag']} + {plural(int(found['distance']), 'commit')} ({found['commit']}{changed})"


def _describe(repository: Path, what: str) -> str | None:
    if shutil.which("git") is None:
        return None
    said = run_git(repository, "describe", "--tags", "--long", "--always", f"--abbrev={SHORT}", what)
    return parse_described(said.stdout.strip()) if said.returncode == 0 else None


def _kind(spec: Tree | Archive | GitRevision) -> str:
    return "commit" if isinstance(spec, GitRevision) else "archive" if isinstance(spec, Archive) else "checkout"
