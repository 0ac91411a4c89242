"""Where a run's short-lived files may lie."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import cast

import pytest

from harness.backends import Backend
from harness.core.errors import SurroundingsError
from harness.engine.scratch import make_scratch_folder


class Adopting:
    def adopt_folder(self, folder: Path) -> None:
        assert folder.is_absolute(), "it is removed from another working folder"


def test_a_relative_temporary_folder_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """gunicorn has another working folder, and would bind another path than the one that is watched."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", ".")
    assert make_scratch_folder(cast(Backend, Adopting()), longest=1000).base.parent == tmp_path


@pytest.mark.parametrize("name", ["/srv/a b", "/srv/ö", '/srv/"', "/srv/a\nb", "/srv/$x"])
def test_a_name_that_no_proxy_could_have_in_its_settings_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", name)
    with pytest.raises(SurroundingsError, match="not every server"):
        make_scratch_folder(cast(Backend, Adopting()))
