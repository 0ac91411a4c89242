"""The scripts that shells complete commands and options with."""

from __future__ import annotations

import sys

import pytest

from harness.cli.completion import SHELLS, render_completion
from harness.cli.main import main, make_whole_parser
from harness.core.cell_fields import CELL_FIELDS
from harness.core.errors import EXIT_ERROR, EXIT_OK


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_knows_every_option(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == EXIT_OK
    script = capsys.readouterr().out
    assert "_shtab_harness" in script
    flags = [row.flag.lstrip("-") for row in CELL_FIELDS.values() if row.flag is not None]
    assert [flag for flag in flags if flag not in script] == []
    assert "keep-logs" in script, "an option that is added only when its command is called"


def test_without_the_extra_the_command_names_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["completion", "bash"]) == EXIT_ERROR
    assert "pip install 'recycle-harness[completion]'" in capsys.readouterr().err


def test_a_file_is_completed_as_a_file() -> None:
    script = render_completion(make_whole_parser(), "bash")
    assert "_shtab_harness_reproduce___settings_COMPGEN=_shtab_compgen_files" in script
    assert "_shtab_harness_reproduce___out_COMPGEN=_shtab_compgen_dirs" in script
