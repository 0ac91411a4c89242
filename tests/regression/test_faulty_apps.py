"""Apps that misbehave in one way each, under a release that is known to be well: none is blamed on gunicorn."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.stubs import needs_tools, run_harness

pytestmark = needs_tools
APPS = Path(__file__).parent / "faulty_apps"
RELEASE = "27.0.1"
QUICK = ("--profile", "quick", "--duration", "4")
IN_EACH_TEST_RUN = {"answers_503", "exits_at_once", "removes_socket"}
NAMES = sorted(path.stem for path in APPS.glob("*.py") if path.stem != "turn")


def test_all_apps_are_here() -> None:
    assert len(NAMES) == 12
    assert set(NAMES) >= IN_EACH_TEST_RUN


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in IN_EACH_TEST_RUN else pytest.mark.slow) for name in NAMES]
)
def test_the_apps_own_fault_is_not_gunicorns(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(APPS)
    ran = run_harness(tmp_path / "runs", "reproduce", RELEASE, *QUICK, "--app", f"{name}:app")
    assert ran.verdict["verdict"] in {"holds", "inconclusive"}, ran.out + ran.err
    assert not ran.findings, ran.out
    assert "app-errors" in {note["id"] for note in ran.verdict["notes"]}, ran.out
