"""Makes gunicorns that nobody released: a state without one of its changes, or with one that it lacks.

They become commits of a scratch repository that borrows the objects of the user's, which is never written to.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from harness.core.errors import SurroundingsError
from harness.core.frozen import dataclass
from harness.core.patterns import pattern
from harness.provision.repositories import run_git
from harness.studies.bisect.repository import Repository

_FILE = pattern(r"^(?=diff --git )", re.MULTILINE)
_HUNK = pattern(r"^(?=@@ )", re.MULTILINE)
_IDENTITY = ("-c", "user.name=recycle-harness", "-c", "user.email=recycle-harness@localhost")


@dataclass(frozen=True, slots=True, kw_only=True)
class Patched:
    """A state to which a change was applied. ``spec``: None where nothing of it applies."""

    spec: str | None
    applied: int
    hunks: int

    @property
    def whole(self) -> bool:
        """Whether all of the change was applied."""
        return self.applied == self.hunks


class Scratch:
    """The scratch repository; its folder must not exist yet, or be one of ours."""

    def __init__(self, repository: Repository, folder: Path) -> None:
        self._repository, self._folder = repository, folder
        folder.mkdir(parents=True, exist_ok=True)
        self._git("init", "--quiet", "--bare", str(folder))
        objects = Path(repository.ask("rev-parse", "--git-path", "objects").strip())
        borrowed = objects if objects.is_absolute() else repository.path / objects
        (folder / "objects" / "info" / "alternates").write_text(f"{borrowed}\n", encoding="utf-8")

    def apply_whole(self, commit: str, *, on: str, reverse: bool) -> Patched:
        """The state ``on`` with all that the commit changed, or without it (``reverse``)."""
        return self._once(f"whole-{reverse}-{commit}-on-{on}", lambda: self._apply_whole(commit, on, reverse=reverse))

    def apply_hunks(self, commit: str, *, on: str, reverse: bool) -> Patched:
        """The same with those of its hunks that apply."""
        return self._once(f"hunks-{reverse}-{commit}-on-{on}", lambda: self._apply_hunks(commit, on, reverse=reverse))

    def take_files(self, commit: str, *, on: str, of: str) -> Patched:
        """The state ``on`` with the files that the commit changed as they are in another state."""
        return self._once(f"files-{commit}-of-{of}-on-{on}", lambda: self._take_files(commit, on, of))

    def _once(self, name: str, make: Callable[[], Patched]) -> Patched:
        """What an earlier process made has its name, so that its runs count."""
        ref = f"refs/heads/{name}"
        known = self._recall(ref)
        if known is not None:
            return known
        made = make()
        if made.spec is not None:
            self._require("update-ref", ref, made.spec.rpartition("@")[2])
        return made

    def _recall(self, name: str) -> Patched | None:
        done = run_git(self._folder, "log", "-1", "--format=%H %s", name, "--")
        if done.returncode != 0:
            return None
        made, applied, hunks = done.stdout.split()
        return Patched(spec=self._spec(made), applied=int(applied), hunks=int(hunks))

    def _spec(self, commit: str) -> str:
        return f"git+file://{self._folder}@{commit}"

    def _apply_whole(self, commit: str, on: str, *, reverse: bool) -> Patched:
        patch, index = self._repository.diff(commit), self._read(on)
        hunks = len(list(split_hunks(patch)))
        if not self._try(patch, ("--3way", *_how(reverse=reverse)), index):
            return Patched(spec=None, applied=0, hunks=hunks)
        return self._commit(index, on, applied=hunks, hunks=hunks)

    def _apply_hunks(self, commit: str, on: str, *, reverse: bool) -> Patched:
        hunks, index = list(split_hunks(self._repository.diff(commit))), self._read(on)
        # From behind, so that a hunk that applies moves none of those that follow.
        how = ("-C1", "--recount", *_how(reverse=reverse))
        applied = sum([self._try(hunk, how, index) for hunk in reversed(hunks)])
        return self._commit(index, on, applied=applied, hunks=len(hunks))

    def _take_files(self, commit: str, on: str, of: str) -> Patched:
        index = self._read(on)
        names = self._repository.diff(commit, "--name-only", "-z").split("\0")[:-1]
        # git asks for a work tree here, and leaves it alone.
        update = (f"--git-dir={self._folder}", f"--work-tree={self._folder}", "update-index")
        for name in names:
            entry = self._require("ls-tree", of, "--", name)
            if entry:
                mode, _, blob = entry.partition("\t")[0].split()
                self._require(*update, "--add", "--cacheinfo", f"{mode},{blob},{name}", index=index)
            else:
                self._require(*update, "--force-remove", "--", name, index=index)
        return self._commit(index, on, applied=len(names), hunks=len(names))

    def _read(self, state: str) -> Path:
        """A fresh index with the content of a state; a failed attempt leaves its conflicts in the one before."""
        index = self._folder / "applying.index"
        index.unlink(missing_ok=True)
        self._require("read-tree", state, index=index)
        return index

    def _commit(self, index: Path, on: str, *, applied: int, hunks: int) -> Patched:
        if not applied:
            return Patched(spec=None, applied=0, hunks=hunks)
        tree = self._require("write-tree", index=index)
        made = self._require(*_IDENTITY, "commit-tree", "-p", on, "-m", f"{applied} {hunks}", tree)
        return Patched(spec=self._spec(made), applied=applied, hunks=hunks)

    def _try(self, patch: str, how: tuple[str, ...], index: Path) -> bool:
        file = self._folder / "applying.patch"
        file.write_text(patch, encoding="utf-8", errors="surrogateescape")
        return run_git(self._folder, "apply", "--cached", *how, str(file), index=str(index)).returncode == 0

    def _require(self, *arguments: str, index: Path | None = None) -> str:
        done = run_git(self._folder, *arguments, index=None if index is None else str(index))
        if done.returncode != 0:
            said = " ".join(done.stderr.split())
            raise SurroundingsError(what=f"git {arguments[0]} fails in {self._folder}: {said}")
        return done.stdout.strip()

    def _git(self, *arguments: str) -> None:
        self._require(*arguments)


def _how(*, reverse: bool) -> tuple[str, ...]:
    return ("--reverse",) if reverse else ()


def split_hunks(patch: str) -> Iterator[str]:
    """A patch as patches of one hunk each; a file without hunks (binary, or renamed) stays one."""
    for file in _FILE.split(patch):
        head, *hunks = _HUNK.split(file)
        if head:
            yield from (head + hunk for hunk in hunks) if hunks else (head,)
