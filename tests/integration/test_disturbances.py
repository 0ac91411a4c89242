"""Each disturbance on a real release: what it does to one that is sound, and that it can fail one that is not."""

from __future__ import annotations

from pathlib import Path

from harness.cli.main import make_parser
from harness.core.model import Outcome, Verdict
from harness.engine.options import make_request
from harness.engine.run import run_cell

QUICK = ("--profile=quick", "--worker=sync", "--no-upstream-keepalive")


def _run(out: Path, *arguments: str) -> Verdict:
    options = make_parser().parse_args(["reproduce", f"--out={out}", *QUICK, *arguments])
    return run_cell(make_request(options), say=lambda _text: None).verdict


def test_what_is_asked_of_a_sound_release_is_done(tmp_path: Path) -> None:
    verdict = _run(tmp_path, "--disturb=reload,scale,reopen-logs", "--seed=5", "23.0.0")
    assert verdict.invariants["disturbances-handled"].value == "holds"
    assert verdict.invariants["socket-survives"].value == "holds"
    assert verdict.invariants["workers-respawn"].value == "holds"
    assert verdict.strength["disturbances"] == 3
    assert "interference" not in {note.id for note in verdict.notes}
    assert verdict.outcome in {Outcome.HOLDS, Outcome.VIOLATED}  # a reload may lose a request, which is told then
