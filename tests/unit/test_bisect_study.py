"""What surrounds the search: releases in their order, signs, the journal, shims by trying, proofs, the result."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from harness.core.errors import UsageError
from harness.core.model import Outcome
from harness.engine.options import DEFAULTS
from harness.engine.request import RunRequest
from harness.engine.start_trials import find_shims
from harness.provision.layer import choose_base, list_folders, put_on
from harness.provision.releases import list_releases, load_catalogue
from harness.provision.remembered_starts import RememberedStarts, sign_of
from harness.provision.sources import Source
from harness.studies.bisect.proof import (
    Examination,
    PartVerdict,
    ProofPart,
    ProofVerdict,
    Rates,
    combine_parts,
    examine_patched,
    run_together,
)
from harness.studies.bisect.rates import WITH_FINDING, WITHOUT_FINDING
from harness.studies.bisect.release_line import find_line
from harness.studies.bisect.report import render_html, render_markdown, render_terminal
from harness.studies.bisect.repository import CommitNote
from harness.studies.bisect.result import BisectResult, BisectStep, Proof, Suspect, result_to_json
from harness.studies.bisect.search import Direction
from harness.studies.bisect.settings import choose_finding, list_settings
from harness.studies.sightings.journal import Journal
from harness.studies.sightings.signs import RunSummary, Sign, read_sign, read_summary

RUN = RunSummary(outcome=Outcome.HOLDS, findings=(), unknown=(), recycles=4, took_s=1.0, path="run")
DELETED = replace(RUN, outcome=Outcome.VIOLATED, findings=("socket-deleted", "permanent-outage"))
FAILED = replace(RUN, outcome=Outcome.VIOLATED, findings=("failed-responses",))


def test_releases_in_the_order_in_which_they_came_from_each_other() -> None:
    known = list_releases()
    line = find_line("19.9.0", "20.0.3", known)
    assert line is not None
    assert line.releases == ("19.9.0", "20.0.0", "20.0.2", "20.0.3")
    turned = find_line("19.10.0", "19.9.0", known)
    assert turned is not None
    assert (turned.releases, turned.swapped) == (("19.9.0", "19.10.0"), True)
    assert find_line("19.10.0", "20.0.0", known) is None
    assert find_line("19.9.0", "19.9.0", known) is None
    assert find_line("19.9.0", "0.0.1", known) is None


@pytest.mark.parametrize(
    ("run", "finding", "sign"),
    [
        (DELETED, "socket-deleted", Sign.SHOWN),
        (DELETED, "failed-responses", Sign.SILENT),  # the outage hides them
        (FAILED, "socket-deleted", Sign.ABSENT),
        (replace(RUN, recycles=0), "socket-deleted", Sign.SILENT),
        (replace(RUN, unknown=("socket-survives",)), "socket-deleted", Sign.SILENT),
        (replace(RUN, outcome=Outcome.UNRUNNABLE), "socket-deleted", Sign.UNRUNNABLE),
        (replace(RUN, outcome=Outcome.ERROR), "socket-deleted", Sign.SILENT),
        (replace(RUN, outcome=Outcome.INCONCLUSIVE, findings=()), "socket-deleted", Sign.SILENT),
        (RUN, "no-such-finding", Sign.SILENT),
    ],
)
def test_what_a_run_says(run: RunSummary, finding: str, sign: Sign) -> None:
    assert read_sign(run, finding) is sign


def test_a_verdict_as_a_summary() -> None:
    verdict = {
        "verdict": "inconclusive",
        "findings": [{"id": "failed-responses"}],
        "invariants": {"socket-survives": "unknown", "requests-answered": "violated"},
        "counts": {"recycles": 3},
        "cell": {"python": "3.6.15"},
        "reasons": ["too few"],
    }
    run = read_summary(verdict, path="here", took_s=1.5)
    assert (run.findings, run.unknown, run.recycles) == (("failed-responses",), ("socket-survives",), 3)
    assert (run.python, run.detail, run.path) == ("3.6.15", "too few", "here")


def test_the_worst_finding_that_only_one_end_has() -> None:
    assert choose_finding([FAILED, FAILED], [DELETED, DELETED]) == "socket-deleted"
    assert choose_finding([DELETED, DELETED], [FAILED, FAILED]) == "socket-deleted"
    assert choose_finding([RUN, RUN], [RUN, FAILED]) == "failed-responses"
    assert choose_finding([FAILED], [FAILED]) is None
    assert choose_finding([DELETED], [replace(RUN, recycles=0)]) is None  # the other end said nothing


def test_quick_settings_are_tried_only_where_none_was_named() -> None:
    request = RunRequest(cell=DEFAULTS, out=Path())
    assert list_settings(request, named=True) == (request,)
    tried = list_settings(request, named=False)
    assert tried[-1] == request
    assert [one.cell.max_requests for one in tried] == [16, 64, 512]


def test_the_journal_gives_back_runs_in_their_order(tmp_path: Path) -> None:
    journal = Journal(tmp_path, {"bisect": "a b"})
    journal.add("19.6.0", DELETED)
    journal.add("19.6.0", FAILED)
    with (tmp_path / "runs.jsonl").open("a") as stream:
        stream.write('{"key": "19.6.0", "outc')  # cut short by a kill
    again = Journal(tmp_path, {"bisect": "a b"})
    assert again.recall("19.5.0") is None
    assert [again.recall("19.6.0") for _ in range(3)] == [DELETED, FAILED, None]
    assert again.runs == 2
    again.add("19.6.0", RUN)
    last = Journal(tmp_path, {"bisect": "a b"})
    assert [last.recall("19.6.0") for _ in range(4)] == [DELETED, FAILED, RUN, None]
    with pytest.raises(UsageError, match="another study"):
        Journal(tmp_path, {"bisect": "a c"})


def starter(needs: set[str]) -> tuple[list[tuple[str, ...]], object]:
    tried: list[tuple[str, ...]] = []

    def try_start(shims: Sequence[str]) -> str | None:
        tried.append(tuple(shims))
        missing = sorted(needs - set(shims))
        return f"[12:34:56] line 7: it lacks {missing[0]}" if missing else None

    return tried, try_start


@pytest.mark.parametrize("needs", [set(), {"one"}, {"one", "three"}])
def test_shims_are_found_by_trying(needs: set[str]) -> None:
    _, try_start = starter(needs)
    found = find_shims(try_start, ["one", "two", "three"], {})  # type: ignore[arg-type]
    assert found.shims is not None
    assert set(found.shims) == needs
    assert set(found.cures.values()) == needs


def test_what_helped_before_is_tried_first() -> None:
    tried, try_start = starter({"three"})
    cures = {sign_of("[99:99:99] line 8: it lacks three"): "three"}
    found = find_shims(try_start, ["one", "two", "three"], cures)  # type: ignore[arg-type]
    assert (found.shims, tried) == (("three",), [(), ("three",)])


def test_nothing_helps() -> None:
    _, try_start = starter({"four"})
    assert find_shims(try_start, ["one", "two"], {}).shims is None  # type: ignore[arg-type]


def test_starts_are_remembered(tmp_path: Path) -> None:
    file = tmp_path / "starts.json"
    RememberedStarts.load(file).add("a", ["one"], {"sign": "one"})
    RememberedStarts.load(file).add("b", [], {})
    now = RememberedStarts.load(file)
    assert (now.starts, now.cures) == ({"a": ["one"], "b": []}, {"sign": "one"})
    file.write_text("{")
    assert RememberedStarts.load(file).starts == {}


def test_a_commit_is_put_on_the_release_that_it_declares_or_the_one_before() -> None:
    known = load_catalogue()
    assert choose_base(known, "19.6.0") == "19.6.0"
    assert choose_base(known, "19.6.1") == "19.6.0"
    assert choose_base(known, "0.1") is None
    assert choose_base(known, None) is None


RATES = Rates(before=(0, 6), after=(6, 0), priors=(WITHOUT_FINDING, WITH_FINDING))


@pytest.mark.parametrize(
    ("signs", "like_after", "verdict"),
    [
        ([Sign.ABSENT] * 9, False, PartVerdict.CONFIRMED),
        ([Sign.SHOWN] * 9, False, PartVerdict.CONTRADICTED),
        ([Sign.SHOWN] * 9, True, PartVerdict.CONFIRMED),
        ([Sign.UNRUNNABLE] * 3, True, PartVerdict.UNTESTABLE),
        ([Sign.SILENT] * 9, True, PartVerdict.UNTESTABLE),
    ],
)
def test_a_patched_state(signs: list[Sign], like_after: bool, verdict: PartVerdict) -> None:
    left = iter(signs)
    examination = examine_patched("it", RATES, like_after=like_after, done="x")
    assert run_together([examination], lambda specs: [next(left) for _ in specs])[0].verdict is verdict


def test_two_patched_states_are_run_side_by_side() -> None:
    rounds: list[list[str]] = []

    def run(specs: list[str]) -> list[Sign]:
        rounds.append(specs)
        return [Sign.SHOWN if spec == "with" else Sign.ABSENT for spec in specs]

    def begin(spec: str, *, like_after: bool) -> Examination:
        return examine_patched(spec, RATES, like_after=like_after, done=spec)

    found = run_together([begin("without", like_after=False), begin("with", like_after=True)], run)
    assert [part.verdict for part in found] == [PartVerdict.CONFIRMED] * 2
    assert rounds == [["without"] * 3 + ["with"] * 3]
    assert (found[0].shown, found[0].absent, found[1].shown, found[1].absent) == (0, 3, 3, 0)


@pytest.mark.parametrize(
    ("revert", "transplant", "verdict"),
    [
        (PartVerdict.CONFIRMED, PartVerdict.CONFIRMED, ProofVerdict.PROVEN),
        (PartVerdict.CONFIRMED, PartVerdict.UNTESTABLE, ProofVerdict.HALF),
        (PartVerdict.CONFIRMED, PartVerdict.CONTRADICTED, ProofVerdict.REFUTED),
        (PartVerdict.UNTESTABLE, PartVerdict.UNTESTABLE, ProofVerdict.UNTESTABLE),
        (PartVerdict.UNDECIDED, PartVerdict.UNTESTABLE, ProofVerdict.REFUTED),
    ],
)
def test_both_experiments_together(revert: PartVerdict, transplant: PartVerdict, verdict: ProofVerdict) -> None:
    parts = [ProofPart(verdict=one, done="x") for one in (revert, transplant)]
    assert combine_parts(*parts) is verdict


def result(first: str | None) -> BisectResult:
    part = ProofPart(verdict=PartVerdict.CONFIRMED, done="taken back", shown=0, absent=3)
    return BisectResult(
        finding="socket-deleted",
        direction=Direction.INTRODUCED,
        kind="commit",
        first=first,
        posterior=0.97,
        confidence=0.95,
        suspects=(Suspect(id="a" * 40, probability=0.97), Suspect(id="b" * 40, probability=0.03)),
        profile=(Suspect(id="b" * 40, probability=0.03), Suspect(id="a" * 40, probability=0.97)),
        between=("c" * 40, "a" * 40),
        releases=("19.5.0", "19.6.0"),
        good="19.5.0",
        bad="19.6.0",
        worker="gthread",
        settings=("--workers=2",),
        python=None,
        rates={"before": (0, 4), "after": (5, 0)},
        steps=(BisectStep(id="a" * 40, kind="commit", said="shown", took_s=1.2, record="r", best=None),),
        took_s=12.3,
        note=CommitNote(id="a" * 40, subject="a <b>bold</b> change", day="2016-05-20", author="somebody"),
        proof=Proof(verdict=ProofVerdict.PROVEN, revert=part, transplant=part),
    )


def test_bisect_json_is_the_contracts() -> None:
    data = json.loads(json.dumps(result_to_json(result("a" * 40))))
    wanted = {"schema", "finding", "direction", "kind", "first", "posterior", "suspects", "runs", "steps", "proof"}
    assert wanted <= data.keys()
    assert (data["schema"], data["first"], data["posterior"]) == (1, "a" * 40, 0.97)
    assert data["suspects"][0] == {"id": "a" * 40, "probability": 0.97}
    assert data["proof"]["revert"]["verdict"] == "confirmed"


def test_reports_say_the_answer_first() -> None:
    text = render_terminal(result("a" * 40))
    assert text.startswith('socket-deleted (gthread) was introduced by commit aaaaaaaa "a <b>bold</b> change", between')
    assert "0 of 4 runs" in text
    page = render_html(result("a" * 40))
    assert "&lt;b&gt;" in page
    assert "<b>bold" not in page
    assert page.count("<rect") == 2
    assert "## Suspects" in render_markdown(result("a" * 40))


def test_without_one_change_the_suspects_are_told() -> None:
    assert "by one of 2 suspects" in render_terminal(result(None))


def test_a_layer_names_what_lies_below_it(tmp_path: Path) -> None:
    """Another user, whom gunicorn may run as, has to be shown both folders."""
    base, layer = tmp_path / "it's base", tmp_path / "layer"
    (base / "lib" / "python3.6" / "site-packages").mkdir(parents=True)
    (base / "bin").mkdir()
    (base / "bin" / "python").write_text("")
    (base / "pyvenv.cfg").write_text("")
    source = Source(name="x", version="19.2.0", identity="x", suffix="-x", revision="x", stage=str)
    put_on(source, base, layer)
    assert list_folders(layer) == [layer, base / "lib" / "python3.6" / "site-packages"]
    assert list_folders(base) == [base]
