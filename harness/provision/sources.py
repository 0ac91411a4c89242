"""The source of an environment: what identifies it, and how its content gets into a folder to be installed from.

A user's folder is only read: content is identified by a digest, and installed from a copy, because building leaves
files behind. This module neither imports nor executes anything from it; the installer does.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path, PurePath

from harness.core.digests import sha256
from harness.core.errors import NoSuchReleaseError, SurroundingsError, UsageError
from harness.core.frozen import dataclass
from harness.core.patterns import pattern
from harness.provision.repositories import SHORT, export_commit, resolve_revision, run_git
from harness.provision.spec import Archive, GitRevision, Release, Tree

MOST_BYTES = 2**30
"""A checkout of gunicorn has a few megabytes, and a file's length costs nothing where it is sparse."""

_LEFT_OUT = {"__pycache__", "build", "dist", "node_modules"}
_VERSION_INFO = pattern(r"^version_info\s*=\s*\(([^)]*)\)", re.MULTILINE)
_VERSION_TEXT = pattern(r"""^__version__\s*=\s*["']([^"']+)["']""", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One gunicorn to install. ``version`` is None where it can't be known before it is installed."""

    name: str  # for messages: "gunicorn 19.6.0"
    version: str | None
    identity: str  # equal for equal content: "release-19.6.0", "tree-<digest>"
    suffix: str  # of the label: "" or "-git-1a2b3c4"
    revision: str | None
    stage: Callable[[Path], str]  # puts the content into a folder that doesn't exist yet; gives uv's requirement
    package: str | None = (
        None  # equal for equal content of the package alone; None where it can't be had without a build
    )
    stage_package: Callable[[Path], None] | None = None  # puts the package alone into a folder that doesn't exist yet

    @property
    def is_release(self) -> bool:
        """Whether the index provides it."""
        return not self.suffix


def describe_source(spec: Release | Tree | Archive | GitRevision) -> Source:
    """Identify what a SPEC names, without copying it yet.

    Raises:
        UsageError: the path or the revision does not exist (any more).
    """
    if isinstance(spec, Release):
        return _describe_release(spec)
    if isinstance(spec, Tree):
        return _describe_tree(spec)
    if isinstance(spec, Archive):
        return _describe_archive(spec)
    return _describe_revision(spec)


def _describe_release(spec: Release) -> Source:
    return Source(
        name=f"gunicorn {spec.version}",
        version=spec.version,
        identity=f"release-{spec.version}",
        suffix="",
        revision=None,
        stage=lambda _folder: f"gunicorn=={spec.version}",
    )


def _describe_tree(spec: Tree) -> Source:
    digest = digest_files(spec.path)

    def stage(folder: Path) -> str:
        copy_files(spec.path, folder)
        _refuse_change(spec.path, digest, digest_files(folder, whole=True))
        return f"gunicorn @ {folder.as_uri()}"

    return Source(
        name=f"the checkout {spec.path}",
        version=declared_version(spec.path),
        identity=f"tree-{digest}",
        suffix=f"-tree-{digest[:SHORT]}",
        revision=f"sha256:{digest}",
        stage=stage,
    )


def _describe_archive(spec: Archive) -> Source:
    digest = _digest_file(spec.path)

    def stage(folder: Path) -> str:
        folder.mkdir()
        copied = Path(shutil.copy(spec.path, folder))
        _refuse_change(spec.path, digest, _digest_file(copied))
        return f"gunicorn @ {copied.as_uri()}"

    return Source(
        name=f"the archive {spec.path}",
        version=spec.version,
        identity=f"archive-{digest}",
        suffix=f"-archive-{digest[:SHORT]}",
        revision=f"sha256:{digest}",
        stage=stage,
    )


def _describe_revision(spec: GitRevision) -> Source:
    commit = resolve_revision(spec)
    text = run_git(spec.repository, "show", f"{commit}:gunicorn/__init__.py")

    def stage(folder: Path) -> str:
        export_commit(spec.repository, commit, folder)
        return f"gunicorn @ {folder.as_uri()}"

    if text.returncode != 0:
        raise NoSuchReleaseError(what=f"commit {commit[:SHORT]} of {spec.repository} has no gunicorn/__init__.py")
    package = run_git(spec.repository, "rev-parse", "--verify", f"{commit}:gunicorn").stdout.strip()
    return Source(
        name=f"commit {commit[:SHORT]} of {spec.repository}",
        version=parse_declared_version(text.stdout),
        identity=f"git-{commit}",
        suffix=f"-git-{commit[:SHORT]}",
        revision=commit,
        stage=stage,
        package=package,
        stage_package=lambda folder: export_commit(spec.repository, package, folder),
    )


def declared_version(tree: Path) -> str | None:
    """The version that a tree's ``gunicorn/__init__.py`` declares, read as text and never imported; else None."""
    try:
        return parse_declared_version((tree / "gunicorn" / "__init__.py").read_text(encoding="utf-8", errors="replace"))
    except FileNotFoundError:
        raise UsageError(what=f"{tree} has no gunicorn/__init__.py any more", remedy="name a checkout") from None


def parse_declared_version(text: str) -> str | None:
    """The version in the text of ``gunicorn/__init__.py``: its ``version_info`` (the numbers) or ``__version__``."""
    info = _VERSION_INFO.search(text)
    numbers = re.findall(r"(?<![\w\"'])[0-9]+(?![\w\"'])", info[1]) if info else []
    if numbers:
        return ".".join(numbers)
    plain = _VERSION_TEXT.search(text)
    return plain[1] if plain else None


# --- trees ----------------------------------------------------------------------------------------------------


def digest_files(root: Path, *, whole: bool = False) -> str:
    """SHA-256 over names, kinds and content of a tree's files; ``whole`` takes every file, as in a copy of ours.

    Raises:
        UsageError: it holds more than can be one gunicorn.
    """
    total = sha256()
    names = sorted(_walk(root, everything=True) if whole else list_files(root))
    size_bytes = sum((root / name).lstat().st_size for name in names)
    if size_bytes > MOST_BYTES:
        raise UsageError(what=f"{root} holds {size_bytes} bytes, more than {MOST_BYTES}", remedy="name a checkout")
    for name in names:
        path = root / name
        kind, content = ("link", os.fsencode(path.readlink())) if path.is_symlink() else ("file", path.read_bytes())
        total.update(f"{kind} {len(content)} ".encode() + os.fsencode(name) + b"\0" + content)
    return total.hexdigest()


def copy_files(root: Path, folder: Path) -> None:
    """Copy the files that matter into a new folder; links stay links."""
    folder.mkdir()
    for name in list_files(root):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / name, target, follow_symlinks=False)


def list_files(root: Path) -> tuple[PurePath, ...]:
    """The files of a tree that matter: git's, and new ones that it doesn't ignore; without git, all but left-overs."""
    if not (root / ".git").exists() or shutil.which("git") is None:
        return tuple(_walk(root, everything=False))
    listed = run_git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    if listed.returncode != 0:
        return tuple(_walk(root, everything=False))  # it is no repository after all, or git distrusts it
    names = {PurePath(name) for name in listed.stdout.split("\0") if name}
    return tuple(name for name in names if _is_inside(root, name) and _is_plain(root / name))


def _is_inside(root: Path, name: PurePath) -> bool:
    """Whether a name leads out of the tree neither by itself nor by a link: an index may have been made by hand."""
    if name.is_absolute() or ".." in name.parts:
        return False
    return not any((root / parent).is_symlink() for parent in name.parents if parent.parts)


def _is_plain(path: Path) -> bool:
    """Whether it is a file or a link; reading a FIFO would never end."""
    return path.is_symlink() or path.is_file()


def _walk(root: Path, *, everything: bool) -> Iterator[PurePath]:
    for folder, folders, files in os.walk(root):
        here = Path(folder)
        if not everything:
            folders[:] = [name for name in folders if not _is_left_out(here / name)]
        for name in [*files, *(name for name in folders if (here / name).is_symlink())]:
            if (everything or not name.endswith((".pyc", ".pyo"))) and _is_plain(here / name):
                yield (here / name).relative_to(root)


def _is_left_out(folder: Path) -> bool:
    hidden = folder.name.startswith(".") or folder.name in _LEFT_OUT or folder.name.endswith(".egg-info")
    return hidden or (folder / "pyvenv.cfg").is_file()


def _digest_file(path: Path) -> str:
    try:
        size_bytes = path.stat().st_size
        if size_bytes > MOST_BYTES:
            raise UsageError(what=f"{path} has {size_bytes} bytes, more than {MOST_BYTES}", remedy="name an sdist")
        return sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        raise UsageError(what=f"there is no file {path} any more", remedy="name an sdist or a wheel") from None


def _refuse_change(path: Path, expected: str, copied: str) -> None:
    if copied != expected:
        raise SurroundingsError(what=f"{path} changed while it was being copied", remedy="run it again")
