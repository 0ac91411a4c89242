"""A patched release as a wheel: the distribution is fetched once, patched in a copy, and packed again.

A wheel needs no build, so installing one takes a fraction of a second; equal content gives an equal file, so the
harness prepares the environment of a mutant once.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path, PurePosixPath

from tests.mutants.table import Mutant

REPOSITORY = Path(__file__).resolve().parents[2]
WORKSHOP = REPOSITORY / "build" / "mutants"
FETCH_TIMEOUT_S = 300.0
APPLY_TIMEOUT_S = 30.0

_MADE_BY_INSTALLING = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}
_PATCHED = re.compile(r"^\+\+\+ b/(\S+)", re.MULTILINE)


class FetchError(RuntimeError):
    """A release's distribution can't be had."""


class PatchError(RuntimeError):
    """A patch that does not apply, or changes nothing."""


def distribution_path(release: str) -> Path:
    """Where the unpacked distribution of a release lies once it was fetched."""
    return WORKSHOP / "distributions" / release


def fetch_distribution(release: str) -> Path:
    """The release's own files, unpacked; from the package index the first time. FetchError where there are none."""
    folder = distribution_path(release)
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        new = Path(scratch) / release
        done = _install(release, new)
        if done.returncode != 0:
            raise FetchError(f"gunicorn {release} can't be fetched: {done.stderr.strip()}")
        try:
            new.rename(folder)
        except OSError:  # another process was first
            if not folder.is_dir():
                raise
    return folder


def make_subject(mutant: Mutant) -> Path:
    """The wheel of the patched release, to be given to the harness as SPEC. PatchError where the patch does not fit."""
    original = fetch_distribution(mutant.release)
    digest = hashlib.sha256(mutant.patch.read_bytes()).hexdigest()[:12]
    folder = WORKSHOP / "wheels" / f"{mutant.name}-{digest}"
    wheel = folder / f"gunicorn-{mutant.release}-py3-none-any.whl"
    if wheel.is_file():
        return wheel
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=WORKSHOP) as scratch:
        tree = Path(scratch) / "tree"
        shutil.copytree(original, tree, ignore=shutil.ignore_patterns("__pycache__"))
        apply_patch(mutant, tree)
        packed = pack(tree, Path(scratch) / wheel.name)
        packed.replace(wheel)
    return wheel


def apply_patch(mutant: Mutant, tree: Path) -> None:
    """Apply the patch to a copy of the release, with no fuzz. PatchError names mutant, release, file and line."""
    named = list_patched(mutant.patch.read_text(encoding="utf-8"))
    before = {name: (tree / name).read_bytes() if (tree / name).is_file() else None for name in named}
    done = subprocess.run(
        ["git", "apply", "--verbose", "--whitespace=nowarn", str(mutant.patch)],  # noqa: S607 - git is on PATH, as for all of the project
        cwd=tree,
        # In a repository git would silently pass over all files that do not belong to it.
        env={**os.environ, "GIT_CEILING_DIRECTORIES": str(tree.parent), "LC_ALL": "C"},
        capture_output=True,
        text=True,
        timeout=APPLY_TIMEOUT_S,
        check=False,
    )
    what = f"mutant {mutant.name} on gunicorn {mutant.release}"
    if done.returncode != 0:
        told = "; ".join(line for line in done.stderr.splitlines() if line.startswith("error:"))
        raise PatchError(f"{what}: the patch does not apply: {told or done.stderr.strip()}")
    unchanged = [name for name, content in before.items() if (tree / name).read_bytes() == content]
    if unchanged or not named:
        raise PatchError(f"{what}: the patch changes nothing in {', '.join(unchanged) or 'any file'}")


def list_patched(patch: str) -> list[str]:
    """The files that a patch changes, by their path in the distribution."""
    return _PATCHED.findall(patch)


def pack(tree: Path, wheel: Path) -> Path:
    """Pack an unpacked distribution as a wheel, without what installing it added; equal trees give equal bytes."""
    names = sorted(path.relative_to(tree).as_posix() for path in tree.rglob("*") if path.is_file())
    kept = [name for name in names if PurePosixPath(name).parts[0] != "bin"]
    kept = [name for name in kept if PurePosixPath(name).name not in _MADE_BY_INSTALLING]
    record = next(name.split("/")[0] for name in kept if ".dist-info/" in name) + "/RECORD"
    lines = []
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in kept:
            content = (tree / name).read_bytes()
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            lines.append(f"{name},sha256={digest},{len(content)}\n")
            archive.writestr(zipfile.ZipInfo(name), content)
        archive.writestr(zipfile.ZipInfo(record), "".join([*lines, f"{record},,\n"]))
    return wheel


def _install(release: str, target: Path) -> subprocess.CompletedProcess[str]:
    """Let uv unpack the release's wheel: it knows the user's index and keeps what it fetched."""
    from uv import find_uv_bin

    argv = [find_uv_bin(), "pip", "install", "--quiet", "--python", sys.executable, "--target", str(target)]
    argv += ["--no-deps", "--only-binary", "gunicorn", f"gunicorn=={release}"]
    return subprocess.run(argv, capture_output=True, text=True, timeout=FETCH_TIMEOUT_S, check=False)
