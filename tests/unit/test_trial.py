"""Two gunicorns side by side: what is run next, when it is over, and what GitHub is told; the runs are invented."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from harness.core.findings import FindingId
from harness.core.model import Cell, Json, Outcome
from harness.engine.request import RunRequest
from harness.records.stored import StoredRun
from harness.studies.diff import running
from harness.studies.diff.ends import ROUNDS, End, Key, Place
from harness.studies.diff.for_github import draw_course, list_outputs, render_annotations, render_summary
from harness.studies.diff.outcome import Judged, conclude_trial, describe_trial
from harness.studies.diff.running import PairPlan, TrialRuns, list_places, run_trial
from harness.studies.diff.sources import load_cells
from harness.studies.matrix.result import RunResult

DELETED, FAILED = FindingId.SOCKET_DELETED.value, FindingId.FAILED_RESPONSES.value
PLACES = list_places(["gthread", "sync"], ["recycle", "reload"])
FINE = RunResult(path=None, outcome=Outcome.HOLDS, recycles=8, requests=100, failed=0, bursts=0)
Answer = Callable[[Key, int], RunResult]
RecordRun = Callable[..., StoredRun]


def broken(*findings: str, path: str | None = None) -> RunResult:
    return replace(FINE, outcome=Outcome.VIOLATED, findings=findings, path=path)


@pytest.fixture
def conduct(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Answer], tuple[Judged, list[Key]]]:
    """``conduct(answer)``: a whole trial in which ``answer`` says what the n-th run of an end at a place is."""

    def whole(answer: Answer, *, budget_s: float = 60.0) -> tuple[Judged, list[Key]]:
        order = list[Key]()

        def run(runs: TrialRuns, key: Key) -> RunResult:
            order.append(key)
            return answer(key, len(runs.runs[key]))

        def request(_trial: PairPlan, end: End, place: Place) -> RunRequest:
            cell = Cell(spec=end.value, worker=place.worker, disturb=place.disturb)
            return RunRequest(cell=cell, out=tmp_path)

        monkeypatch.setattr(running, "_run", run)
        monkeypatch.setattr(running, "_make_request", request)
        specs = {End.BASELINE: "23.0.0", End.SUBJECT: str(tmp_path / "tree")}
        (tmp_path / "tree" / "gunicorn").mkdir(parents=True)
        (tmp_path / "tree" / "gunicorn" / "__init__.py").write_text("version_info = (23, 0, 0)\n")
        (tmp_path / "tree" / "pyproject.toml").write_text("[project]\nname = 'gunicorn'\n")
        trial = PairPlan(specs=specs, places=PLACES, profile="quick", budget_s=budget_s, out=tmp_path / "out")
        return conclude_trial(run_trial(trial, lambda _said: None)), order

    return whole


Conduct = Callable[..., tuple[Judged, list[Key]]]


def test_a_harmless_change_passes_after_the_first_rounds(conduct: Conduct) -> None:
    judged, order = conduct(lambda _key, _number: FINE)
    assert judged.outcome is Outcome.HOLDS
    assert len(order) == 2 * len(PLACES) * ROUNDS
    assert [end for end, _ in order[:4]] == [End.BASELINE, End.SUBJECT, End.SUBJECT, End.BASELINE], "in turn"


def test_a_fault_of_both_ends_is_not_the_changes(conduct: Conduct) -> None:
    judged, _ = conduct(lambda _key, _number: broken(FAILED))
    assert judged.outcome is Outcome.HOLDS


def test_what_is_always_worse_is_decided_next_and_ends_it(conduct: Conduct) -> None:
    bad = (End.SUBJECT, PLACES[1])
    judged, order = conduct(lambda key, _number: broken(DELETED) if key == bad else FINE)
    assert judged.outcome is Outcome.VIOLATED
    assert [one.finding for one in judged.found.worse] == [DELETED]
    assert sum(key == bad for key in order) < 12
    assert sum(key == (End.SUBJECT, PLACES[0]) for key in order) == 1, "the others are not looked at again"
    assert {place for _, place in order} == set(PLACES[:2]), "nor for the first time"
    assert judged.found.looked_at == 32 * len(PLACES), "it could have looked at all of them"


def test_what_was_worse_by_chance_is_left_for_the_other_places(
    conduct: Conduct, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 10**12, 10**9))
    monkeypatch.setattr(running, "now_ns", lambda: next(clock))
    bad = (End.SUBJECT, PLACES[0])
    judged, order = conduct(lambda key, number: broken(FAILED) if key == bad and number == 0 else FINE, budget_s=20)
    assert [place for _, place in order[:4]] == [PLACES[0]] * 4, "once more, as it was always worse so far"
    assert {place for _, place in order} == set(PLACES)
    assert judged.outcome is not Outcome.VIOLATED


def test_what_may_be_chance_is_not_known_when_the_time_is_up(conduct: Conduct, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 10**12, 10**9))
    monkeypatch.setattr(running, "now_ns", lambda: next(clock))
    once = (End.SUBJECT, PLACES[0])
    judged, order = conduct(lambda key, number: broken(DELETED) if key == once and number == 1 else FINE, budget_s=20)
    assert judged.outcome is Outcome.INCONCLUSIVE
    assert len(order) > 2 * len(PLACES), "more of it was tried until the time was up"


def test_too_little_time_is_not_known(conduct: Conduct, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 10**12, 10**9))
    monkeypatch.setattr(running, "now_ns", lambda: next(clock))
    judged, order = conduct(lambda _key, _number: FINE, budget_s=3)
    assert (judged.outcome, len(order)) == (Outcome.INCONCLUSIVE, 4)


def test_a_subject_that_can_not_be_started_is_told_so(conduct: Conduct) -> None:
    gone = replace(FINE, outcome=Outcome.UNRUNNABLE)
    judged, _ = conduct(lambda key, _number: gone if key[0] is End.SUBJECT else FINE)
    assert judged.outcome is Outcome.UNRUNNABLE


def test_runs_without_a_verdict_are_made_again_but_not_for_ever(conduct: Conduct) -> None:
    judged, order = conduct(lambda _key, _number: replace(FINE, outcome=Outcome.INCONCLUSIVE))
    assert judged.outcome is Outcome.INCONCLUSIVE
    assert len(order) < 2 * len(PLACES) * 2 * ROUNDS


def test_both_tables_are_stored_as_harness_diff_reads_them(conduct: Conduct) -> None:
    judged, _ = conduct(lambda key, _number: broken(DELETED) if key[0] is End.SUBJECT else FINE)
    ours, theirs = (load_cells(judged.out / end.value) for end in End)
    assert len(ours) == len(theirs) == len(PLACES)
    assert {cell.disturb for cell in theirs} == {"recycle", "reload"}
    assert describe_trial(judged)["verdict"] == "violated"
    assert "worse" in (judged.out / "diff.md").read_text()
    assert list_outputs(judged) == {"verdict": "violated", "report": str(judged.out / "diff.md")}


@pytest.fixture
def worse(conduct: Conduct, record_run: RecordRun, tmp_path: Path) -> Judged:
    """A trial with a stored run that shows what got worse, and the culprit's file in the checkout."""
    stored = record_run()
    (tmp_path / "out").mkdir()
    stored.path.rename(tmp_path / "out" / "shown")
    judged, _ = conduct(lambda key, _number: broken(DELETED, path="shown") if key[0] is End.SUBJECT else FINE)
    stack = next(iter(list_frames(stored)))
    file = tmp_path / "tree" / stack.partition(":")[0]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    return judged


def list_frames(stored: StoredRun) -> list[str]:
    verdict = stored.verdict or {}
    findings = verdict["findings"]
    assert isinstance(findings, list)
    return [frame for one in findings for frame in reversed((one.get("culprit") or {}).get("stack", []))]


def test_annotations_stand_at_the_culprits_line(worse: Judged, tmp_path: Path) -> None:
    lines = render_annotations(worse, tmp_path).splitlines()
    assert lines[0].startswith("::error file=tree/gunicorn/")
    assert ",line=" in lines[0]
    assert "socket-deleted" in lines[0]
    elsewhere = render_annotations(worse, tmp_path / "out").splitlines()
    assert elsewhere[0].startswith("::error title="), "a file outside the workspace is no place for GitHub"


def test_the_summary_has_the_table_the_picture_and_every_run(worse: Judged) -> None:
    said = render_summary(worse)
    assert said.startswith("### The change makes it worse, beyond chance")
    assert "| gthread | recycle |" in said
    assert "```mermaid\ngantt\n" in said
    assert "socket-deleted :crit" in said


def test_what_is_worse_leaves_an_attachment(worse: Judged) -> None:
    assert list((worse.out / "bundles").glob("*.zip"))


def test_a_course_without_times_is_still_a_chart() -> None:
    empty: dict[str, Json] = {"timing_s": {}, "findings": [{"id": "worker-crashed", "at_s": None}]}
    assert draw_course(empty).splitlines()[-1] == "  worker-crashed :crit, 0, 1"
