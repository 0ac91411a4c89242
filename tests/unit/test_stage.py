"""Where a run's short-lived things may lie."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import cast

import pytest

from harness.backends import Backend
from harness.core.errors import SurroundingsError
from harness.engine.stage import make_places


class Adopting:
    def adopt_folder(self, folder: Path) -> None:
        assert folder.is_absolute(), "it is removed from another working folder"


def test_a_relative_temporary_folder_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """gunicorn has another working folder, and would bind another path than the one that is watched."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", ".")
    monkeypatch.setattr("harness.engine.stage.LONGEST_SOCKET_PATH", 1000)
    assert make_places(cast(Backend, Adopting())).base.parent == tmp_path


@pytest.mark.parametrize("name", ["/srv/a b", "/srv/ö", '/srv/"', "/srv/a\nb", "/srv/$x"])
def test_a_name_that_no_proxy_could_have_in_its_settings_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", name)
    with pytest.raises(SurroundingsError, match="not every server"):
        make_places(cast(Backend, Adopting()))
