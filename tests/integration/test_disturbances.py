"""Each disturbance on a real release: what it does to one that is sound, and that it can fail one that is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli.main import make_parser
from harness.core.events.probing import HarnessAsked
from harness.core.model import Outcome, State, Verdict
from harness.engine.options import make_request
from harness.engine.run import run_cell
from harness.records.store import load_run

QUICK = ("--profile=quick", "--no-upstream-keepalive", "--seed=5")


def _run(out: Path, *arguments: str) -> Verdict:
    options = make_parser().parse_args(["reproduce", f"--out={out}", *QUICK, *arguments])
    return run_cell(make_request(options), say=lambda _text: None).verdict


def test_what_is_asked_of_a_sound_release_is_done(tmp_path: Path) -> None:
    names = "reload,scale,reopen-logs,kill-worker,upgrade,rollback,stop"
    verdict = _run(tmp_path, f"--disturb={names}", "--worker=sync", "23.0.0")
    assert "disturbances-handled" in verdict.invariants, verdict.reasons
    for name in ("disturbances-handled", "socket-survives", "workers-respawn", "max-requests-honoured"):
        assert verdict.invariants[name].value == "holds", verdict.invariant_reasons[name]
    assert verdict.strength["disturbances"] == len(names.split(","))
    assert "interference" not in {note.id for note in verdict.notes}
    assert verdict.outcome is not Outcome.ERROR, verdict.reasons  # a reload may lose a request, which is told then
    if verdict.outcome is Outcome.INCONCLUSIVE:  # where others use the machine, answers may come late
        unknown = [name for name, state in verdict.invariants.items() if state is State.UNKNOWN]
        assert unknown == ["requests-answered"], verdict.reasons


@pytest.mark.parametrize(
    ("spec", "worker", "name", "finding"),
    [
        pytest.param("19.6.0", "gthread", "upgrade", "socket-deleted", marks=pytest.mark.slow),
        ("19.4.5", "sync", "stop", "socket-left-behind"),
        pytest.param("23.0.0", "sync", "second-master", "socket-replaced", marks=pytest.mark.slow),
        ("23.0.0", "sync", "rebind", "socket-left-behind"),
    ],
)
def test_a_fault_of_a_release_is_found(tmp_path: Path, spec: str, worker: str, name: str, finding: str) -> None:
    verdict = _run(tmp_path, f"--disturb={name}", f"--worker={worker}", spec)
    found = {one.id.value: one for one in verdict.findings}
    assert finding in found
    culprit = found[finding].culprit
    assert name != "second-master" or (culprit is not None and culprit.role == "second master")


@pytest.mark.parametrize(("name", "worker"), [("socket-activation", "sync"), ("hang-worker", "sync")])
def test_a_sound_release_does_it_without_a_loss(tmp_path: Path, name: str, worker: str) -> None:
    verdict = _run(tmp_path, f"--disturb={name}", f"--worker={worker}", "--timeout=2", "23.0.0")
    assert verdict.outcome is Outcome.HOLDS, verdict.reasons
    assert verdict.strength["disturbances"] == 1
    asked = [event for event in load_run(tmp_path / "latest").events() if isinstance(event, HarnessAsked)]
    assert [one.outcome != "200" and one.worker is not None for one in asked] == [True] * (name == "hang-worker")


@pytest.mark.waits
def test_an_abstract_socket_is_served_and_its_end_is_judged(tmp_path: Path) -> None:
    options = ("--bind=abstract", "--proxy=none", "--load=httpx", "--timeout=2", "--disturb=stop")
    verdict = _run(tmp_path / "knows", *options, "27.0.1")
    assert "arbiter-crashed" in {one.id.value for one in verdict.findings}
    refused = _run(tmp_path / "does-not", *options, "23.0.0")
    assert refused.outcome is Outcome.UNRUNNABLE
    assert "abstract socket" in " ".join(refused.reasons)
