"""The patches of the mutants, applied: each fits its release, and one that does not is refused, never guessed at."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.mutants.subjects import PatchError, apply_patch, distribution_path, list_patched
from tests.mutants.table import Mutant, load_table, parse_row

MUTANTS = load_table()
ROW = {
    "name": "some",
    "release": "1.0",
    "fault": "path",
    "worker": "sync",
    "verdict": "violated",
    "findings": ["socket-deleted"],
    "why": "the worker deletes it",
}


@pytest.mark.parametrize("release", sorted({mutant.release for mutant in MUTANTS}))
def test_each_patch_applies_to_its_release(release: str, tmp_path: Path) -> None:
    original = distribution_path(release)
    if not original.is_dir():
        pytest.skip(f"gunicorn {release} was not fetched yet: make mutants fetches it")
    for mutant in (mutant for mutant in MUTANTS if mutant.release == release):
        names = list_patched(mutant.patch.read_text(encoding="utf-8"))
        for name in names:
            copy = tmp_path / mutant.name / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(original / name, copy)
        apply_patch(mutant, tmp_path / mutant.name)
        for name in names:
            compile((tmp_path / mutant.name / name).read_text(encoding="utf-8"), name, "exec")


def _tree(folder: Path) -> Path:
    (folder / "gunicorn").mkdir(parents=True)
    (folder / "gunicorn" / "sock.py").write_text("one\ntwo\nthree\n")
    return folder


def _patched(folder: Path, body: str) -> Mutant:
    patch = folder / "some.patch"
    patch.write_text(f"What it does.\n\n--- a/gunicorn/sock.py\n+++ b/gunicorn/sock.py\n@@ -1,3 +1,3 @@\n{body}")
    return parse_row({**ROW, "patch": str(patch)})


def test_a_patch_that_fits_changes_its_file(tmp_path: Path) -> None:
    tree = _tree(tmp_path / "tree")
    apply_patch(_patched(tmp_path, " one\n-two\n+2\n three\n"), tree)
    assert (tree / "gunicorn" / "sock.py").read_text() == "one\n2\nthree\n"


def test_a_patch_that_no_longer_applies_names_mutant_release_file_and_line(tmp_path: Path) -> None:
    tree = _tree(tmp_path / "tree")
    with pytest.raises(PatchError, match=r"mutant some on gunicorn 1\.0: .*gunicorn/sock\.py:1"):
        apply_patch(_patched(tmp_path, " one\n-zwei\n+2\n three\n"), tree)


def test_context_that_differs_is_not_guessed_at(tmp_path: Path) -> None:
    tree = _tree(tmp_path / "tree")
    with pytest.raises(PatchError, match="does not apply"):
        apply_patch(_patched(tmp_path, " uno\n-two\n+2\n three\n"), tree)


def test_a_patch_of_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    tree = _tree(tmp_path / "tree")
    (tree / "gunicorn" / "sock.py").unlink()
    with pytest.raises(PatchError, match="does not apply"):
        apply_patch(_patched(tmp_path, " one\n-two\n+2\n three\n"), tree)
