"""What a user may name as the gunicorn under test: the grammar of SPEC, and nothing about installing it.

A SPEC is data: it is taken apart here, never handed to a shell, and everything that is not exactly one of the
five forms is refused with one clear message. The file system is only asked whether a named path is there.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TypeAlias
from urllib.parse import unquote

from harness.core.errors import UsageError
from harness.core.frozen import dataclass
from harness.core.paths import expand_home
from harness.core.patterns import pattern

FORMS = "a release (19.6.0), latest, a path (checkout, sdist or wheel), or git+file:///path@rev"

_RELEASE = pattern(r"[0-9]{1,9}(\.[0-9]{1,9}){0,4}((a|b|rc)[0-9]{1,9})?(\.post[0-9]{1,9})?(\.dev[0-9]{1,9})?")
_GIT_SCHEME = "git+file://"
_ARCHIVE_ENDINGS = (".whl", ".tar.gz", ".zip")
_TAG = r"-[0-9A-Za-z_.]+"
_ARCHIVE_NAME = pattern(rf"gunicorn-(?P<version>[0-9][0-9A-Za-z.!+]*?)({_TAG}{_TAG}{_TAG})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One release, by its number as on the index."""

    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Latest:
    """The newest release that is not a pre-release, whatever the index says at the time of the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A folder with gunicorn's source, as it lies there now (uncommitted changes included)."""

    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """An sdist or a wheel of gunicorn; ``version`` is what its file name says."""

    path: Path
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GitRevision:
    """One commit of a local git repository; ``revision`` is anything that ``git rev-parse`` understands."""

    repository: Path
    revision: str


Spec: TypeAlias = Release | Latest | Tree | Archive | GitRevision


def parse_spec(text: str) -> Spec:
    """The SPEC of the command line as a value; paths come back absolute.

    Raises:
        UsageError: the text is none of the forms, or names a path that is missing or isn't gunicorn.
    """
    if not text or text != text.strip() or not text.isprintable():
        raise _refusal(
            text,
            "it is empty" if not text.strip() else "it has blanks at its ends, or characters that can't be printed",
        )
    if text.startswith("-"):
        raise _refusal(text, "it looks like an option")
    if text == "latest":
        return Latest()
    if text.startswith(_GIT_SCHEME):
        return _parse_git(text)
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text):
        raise _refusal(text, "of the URLs only git+file:// is understood")
    if _RELEASE.fullmatch(text):
        return Release(version=text)
    return _parse_path(text)


def is_checkout(folder: Path) -> bool:
    """Whether a folder holds gunicorn's source: the package, and a file to install it by."""
    installable = any((folder / name).is_file() for name in ("pyproject.toml", "setup.py"))
    return installable and (folder / "gunicorn" / "__init__.py").is_file()


def _parse_git(text: str) -> GitRevision:
    """Split at the last ``@`` that leaves an existing folder: paths and revisions (``HEAD@{1}``) may hold one too."""
    rest = text[len(_GIT_SCHEME) :]
    if not rest.startswith("/"):
        raise _refusal(text, "the path of git+file:// is absolute, with three slashes")
    cuts = [len(rest), *(place for place in range(len(rest) - 1, 0, -1) if rest[place] == "@")]
    for cut in cuts:
        folder = Path(unquote(rest[:cut]))
        if not folder.is_dir():
            continue
        revision = rest[cut + 1 :] if cut < len(rest) else "HEAD"
        if not revision or revision.startswith("-"):
            raise _refusal(text, f"{revision!r} after the @ is not a revision")
        return GitRevision(repository=folder.resolve(), revision=revision)
    raise _refusal(text, f"there is no folder {unquote(rest[: cuts[-1]])}")


def _parse_path(text: str) -> Tree | Archive:
    path = expand_home(Path(text)) if text.startswith("~/") else Path(text)
    if path.is_dir():
        if not is_checkout(path):
            raise _refusal(text, "the folder has no gunicorn/__init__.py beside a pyproject.toml or setup.py")
        return Tree(path=path.resolve())
    if path.is_file():
        return _parse_archive(text, path)
    if "/" in text or text.endswith(_ARCHIVE_ENDINGS):
        raise _refusal(text, "there is no such file or folder")
    raise _refusal(text, "it is neither a release number nor an existing path")


def _parse_archive(text: str, path: Path) -> Archive:
    ending = next((ending for ending in _ARCHIVE_ENDINGS if path.name.endswith(ending)), None)
    if ending is None:
        raise _refusal(text, f"the file is none of {', '.join(_ARCHIVE_ENDINGS)}")
    named = _ARCHIVE_NAME.fullmatch(path.name.removesuffix(ending))
    if named is None:
        raise _refusal(text, "the file is not named as a distribution of gunicorn is (gunicorn-19.6.0.tar.gz)")
    return Archive(path=path.resolve(), version=named["version"])


def _refusal(text: str, why: str) -> UsageError:
    return UsageError(what=f"SPEC {text!r} can't be used: {why}", remedy=f"name {FORMS}")
