"""A local git repository of gunicorn: which commits lie between two, and patches. Read only; no hook is ever run."""

from __future__ import annotations

from pathlib import Path

from harness.core.errors import SurroundingsError, UsageError
from harness.core.frozen import dataclass
from harness.provision.repositories import SHORT, resolve_revision, run_git
from harness.provision.spec import GitRevision
from harness.studies.bisect.history import History

PACKAGE = "gunicorn"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitNote:
    """What a reader wants to know of a commit."""

    id: str
    subject: str
    day: str
    author: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """Where the repository lies."""

    path: Path

    def resolve(self, revision: str) -> str:
        """The full id of a commit.

        Raises:
            UsageError: there is no such commit.
        """
        return resolve_revision(GitRevision(repository=self.path, revision=revision))

    def find_release(self, version: str) -> str | None:
        """The commit that the tag of a release names: 19.2.0 may be tagged 19.2; None where there is no tag."""
        names = [version, f"v{version}", *([version.removesuffix(".0")] if version.endswith(".0") else [])]
        found = (
            run_git(self.path, "rev-parse", "--verify", "--quiet", f"refs/tags/{name}^{{commit}}") for name in names
        )
        return next((done.stdout.strip() for done in found if done.returncode == 0), None)

    def merge_base(self, one: str, other: str) -> str | None:
        """The newest commit that both come from."""
        done = run_git(self.path, "merge-base", one, other)
        return done.stdout.split()[0] if done.returncode == 0 and done.stdout.strip() else None

    def list_changes(self, old: str, new: str) -> History:
        """The commits that ``new`` has and ``old`` does not, as far as they change the package, parents first.

        A merge is among them where it differs from both its sides. Parents are those that are left.
        """
        listed = self.ask("rev-list", "--topo-order", "--reverse", "--parents", f"{old}..{new}", "--", PACKAGE)
        rows = [line.split() for line in listed.splitlines()]
        places = {row[0]: place for place, row in enumerate(rows)}
        parents = tuple(tuple(places[one] for one in row[1:] if one in places) for row in rows)
        return History(names=tuple(places), parents=parents)

    def describe(self, commit: str) -> CommitNote:
        """Its subject, day and author."""
        said = self.ask("show", "--no-patch", "--format=%s%x00%cs%x00%an", commit).rstrip("\n").split("\0")
        return CommitNote(id=commit, subject=said[0], day=said[1], author=said[2])

    def diff(self, commit: str, *arguments: str) -> str:
        """What a commit changes in the package, against its first parent, as a patch."""
        return self.ask("diff", "--full-index", "--binary", *arguments, f"{commit}^1", commit, "--", PACKAGE)

    def ask(self, *arguments: str) -> str:
        """What git says.

        Raises:
            SurroundingsError: it fails.
        """
        done = run_git(self.path, *arguments)
        if done.returncode != 0:
            said = " ".join(done.stderr.split())
            raise SurroundingsError(what=f"git {arguments[0]} fails in {self.path}: {said}")
        return done.stdout

    def spec(self, commit: str) -> str:
        """The SPEC that names a commit of this repository."""
        return f"git+file://{self.path}@{commit}"


def open_repository(path: Path) -> Repository:
    """The repository at a path.

    Raises:
        UsageError: there is none.
    """
    done = run_git(path, "rev-parse", "--absolute-git-dir") if path.is_dir() else None
    if done is None or done.returncode != 0:
        raise UsageError(what=f"--repo {path}: there is no git repository.", remedy="Name a clone of gunicorn's.")
    return Repository(path=path.resolve())


def short(commit: str) -> str:
    """A commit's id as a reader writes it."""
    return commit[: SHORT + 1]
