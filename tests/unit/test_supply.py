"""What comes in from others is named so that nothing else can come in its stead."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from harness.backends.docker import wheels
from harness.core.errors import SurroundingsError
from harness.provision import hashes
from harness.provision.complaints import Complaint, find_remedy
from harness.provision.installer import classify
from harness.provision.releases import load_catalogue
from maintenance.catalogue.hashes import list_wanted

ROOT = Path(__file__).parents[2]
WORKFLOWS = [*(ROOT / ".github").rglob("*.yml"), ROOT / "action.yml", *(ROOT / "templates").rglob("*.yml")]
USES = re.compile(r"^\s*(?:- )?uses:\s*(\S+)", re.MULTILINE)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_commit(path: Path) -> None:
    used = [name for name in USES.findall(path.read_text()) if not name.startswith("./")]
    assert [name for name in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", name)] == []


def test_there_are_actions_to_look_at() -> None:
    assert sum(len(USES.findall(path.read_text())) for path in WORKFLOWS) > 5


@pytest.mark.parametrize("path", sorted((ROOT / "requirements").glob("*.txt")), ids=lambda path: path.name)
def test_every_locked_requirement_has_hashes(path: Path) -> None:
    lines = path.read_text().replace("\\\n", " ").splitlines()
    requirements = [line for line in lines if line and not line.startswith((" ", "#"))]
    assert requirements
    assert [line for line in requirements if "--hash=sha256:" not in line] == []


def test_every_release_and_every_exact_pin_has_recorded_hashes() -> None:
    known = hashes.load_hashes()
    assert set(known) == set(list_wanted(load_catalogue()))
    assert all(re.fullmatch(r"[0-9a-f]{64}", digest) for digests in known.values() for digest in digests)
    assert all(known.values())


def test_a_recorded_requirement_is_given_to_the_installer_with_its_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashes, "load_hashes", lambda: {"x==1": ("a", "b")})
    assert hashes.with_hashes("x==1") == "x==1 --hash=sha256:a --hash=sha256:b"
    assert hashes.with_hashes("x==2") == "x==2"
    assert hashes.is_expected("x", "1", "a")
    assert not hashes.is_expected("x", "1", "c")
    assert hashes.is_expected("x", "2", "c")


def test_what_uv_says_of_another_file_is_understood() -> None:
    said = "error: Failed to download `x==1`\n  cause: Hash mismatch for `x==1`\n\nExpected:\n  sha256:0\n"
    assert classify(said) is Complaint.CHANGED
    assert "index" in find_remedy(Complaint.CHANGED)


def test_another_file_goes_into_no_image(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = {"url": (tmp_path / "x-1-py3-none-any.whl").as_uri(), "hashes": {"sha256": "c" * 64}}
    package: dict[str, Any] = {"name": "x", "version": "1", "wheels": [file]}
    monkeypatch.setattr(wheels, "_resolve", lambda *_args, **_named: [package])
    monkeypatch.setattr(hashes, "load_hashes", lambda: {"x==1": ("a" * 64,)})
    target = wheels.Target(version="3.12.1", architecture="amd64")
    with pytest.raises(SurroundingsError, match="another file than the one that is recorded"):
        wheels.fill(tmp_path / "wheels", ["x==1"], target, subject="x", log=tmp_path / "log")
