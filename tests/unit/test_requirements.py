from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.core.errors import UsageError
from harness.provision.requirements import parse_requirement, read_requirements, without_named


def test_a_file_is_read_as_far_as_it_can_be_installed(tmp_path: Path) -> None:
    (tmp_path / "base.txt").write_text("Flask==3.0.0 \\\n    --hash=sha256:00 \\\n    --hash=sha256:11\n")
    (tmp_path / "all.txt").write_text(
        "# ours\n-r base.txt\n--index-url https://invalid/simple\ngunicorn[gevent]==23.0.0\ndjango>=4  # the newest\n\n"
        'tomli; python_version < "3.11"\n'
    )
    assert read_requirements(tmp_path / "all.txt") == (
        "Flask==3.0.0",
        "django>=4",
        'tomli; python_version < "3.11"',
    )


def test_a_fifo_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(UsageError, match="Not a regular file"):
        read_requirements(tmp_path / "fifo")


def test_files_that_include_each_other_end(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("-r b.txt\nflask\n")
    (tmp_path / "b.txt").write_text("-r a.txt\ndjango\n")
    assert set(read_requirements(tmp_path / "a.txt")) == {"flask", "django"}


@pytest.mark.parametrize("line", ["-e .", "./lib", "git+https://invalid/x", "fl ask"])
def test_what_has_no_name_is_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "all.txt").write_text(line + "\n")
    with pytest.raises(UsageError, match=r"is no requirement with a name"):
        read_requirements(tmp_path / "all.txt")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="can't be read"):
        read_requirements(tmp_path / "none.txt")


def test_the_release_under_test_is_never_replaced_and_theirs_win_over_our_pins() -> None:
    assert parse_requirement("gunicorn==1") == ()
    assert without_named(("bottle==0.12.13", "setuptools<80"), ("Bottle>=0.13",)) == ("setuptools<80",)
