"""The search of `harness minimise`: which settings are left, with findings that always show, and that rarely do."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.core.errors import EXIT_INCONCLUSIVE, HarnessError, UnrunnableError
from harness.core.model import Cell, Outcome
from harness.engine.cell_rules import find_contradiction
from harness.engine.options import DEFAULTS
from harness.engine.request import OwnSettings, RunRequest
from harness.studies.minimise.case import GIVEN, Case, make_run
from harness.studies.minimise.naming import describe_change, write_command
from harness.studies.minimise.necessity import list_withouts
from harness.studies.minimise.oracle import MakesRuns, count_runs
from harness.studies.minimise.own_settings import read_start, split_statements
from harness.studies.minimise.reduction import apply_all, find_least, reduce_together
from harness.studies.minimise.report import describe_answer, render_html, render_markdown, render_terminal
from harness.studies.minimise.result import result_to_json
from harness.studies.minimise.script import is_plain, make_script
from harness.studies.minimise.settings import SETTINGS, list_reductions
from harness.studies.minimise.study import Minimisation, MinimisePlan, NotShownError
from harness.studies.minimise.weighing import ON, SURE, Sightings, Standard, knows_rate
from harness.studies.sightings.signs import RunSummary

REPORT = replace(DEFAULTS, spec="19.6.0")
RUN = RunSummary(outcome=Outcome.HOLDS, findings=(), unknown=(), recycles=4, took_s=1.0, path=None, python="3.6.15")
DELETED = replace(RUN, outcome=Outcome.VIOLATED, findings=("socket-deleted", "permanent-outage"))
FINDING = "socket-deleted"


@dataclass(slots=True, kw_only=True)
class SimulatedCells:
    """Runs in which chance decides, with the rate of the cell; None: it can't be run."""

    rate: Callable[[RunRequest], float | None]
    chance: random.Random
    made: int = 0
    together: list[int] = field(default_factory=list)

    def make(self, requests: Sequence[RunRequest]) -> list[RunSummary]:
        self.made += len(requests)
        self.together.append(len(requests))
        return [self._make(request) for request in requests]

    def _make(self, request: RunRequest) -> RunSummary:
        assert find_contradiction(request.cell) is None
        rate = self.rate(request)
        if rate is None:
            return replace(RUN, outcome=Outcome.ERROR, detail="no answer")
        return DELETED if self.chance.random() < rate else RUN


def as_in_19_6(cell: Cell, rate: float = 1.0, background: float = 0.0) -> float:
    has_it = cell.bind == "unix" and cell.worker == "gthread" and cell.max_requests > 0
    return rate if has_it else background


def minimise(
    folder: Path,
    rate: Callable[[RunRequest], float | None],
    *,
    cell: Cell = REPORT,
    seed: int = 1,
    finding: str | None = FINDING,
    **more: Any,
) -> Minimisation:
    plan: dict[str, Any] = {"jobs": 1, "budget": 5000, "folder": folder, "say": lambda _text: None, **more}
    request = plan.pop("request", RunRequest(cell=cell, out=folder))
    maker: MakesRuns = SimulatedCells(rate=rate, chance=random.Random(seed))  # noqa: S311 - no secret
    return Minimisation(plan=MinimisePlan(request=request, finding=finding, **plan), maker=maker)


def test_the_bug_of_the_original_report(tmp_path: Path) -> None:
    result = minimise(tmp_path, lambda request: as_in_19_6(request.cell)).run()
    assert {one.setting for one in result.necessities if one.necessary} == {"bind", "threads", "max_requests"}
    assert result.complete
    small = result.case.cell
    assert (small.workers, small.threads, small.connections, small.max_requests) == (1, 2, 1, 1)
    assert (small.proxy, small.load, small.bind, small.worker) == ("none", "httpx", "unix", "gthread")
    assert {"proxy", "workers", "connections", "load"} <= {one.setting for one in result.removals}
    assert result.runs <= 25
    assert (
        describe_answer(result)
        == "socket-deleted in 19.6.0 needs bind unix, threads 2 (gthread worker), max_requests 1"
    )


def test_the_rows_of_the_table_are_run_side_by_side(tmp_path: Path) -> None:
    search = minimise(tmp_path, lambda request: as_in_19_6(request.cell))
    result = search.run()
    assert isinstance(search.maker, SimulatedCells)
    assert search.maker.together.count(9) == 1, "three runs without each of three settings, asked for at once"
    assert [one.tally.runs for one in result.necessities] == [3, 3, 3]
    assert len(search.maker.together) <= 11


@settings(deadline=None, max_examples=15)
@given(st.data())
def test_what_is_left_is_what_is_needed(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Any part of the settings may be needed, any number may need to be so high, and the oracle may be noisy."""
    cell = replace(REPORT, max_requests_jitter=7, timeout=20, header="A: b", disturb="recycle,reload")
    base = Case(cell=cell)
    apart = ("max_requests", "keep-alive of the proxy")  # a number, and a part of the proxy
    withouts = [one for one in SETTINGS if one.leave_out(base) not in (None, base) and one.name not in apart]
    needed = data.draw(st.sets(st.sampled_from(withouts), max_size=4))
    least = data.draw(st.sampled_from([1, 2, 8, 50]))
    rate = data.draw(st.sampled_from([1.0, 0.9, 0.5]))

    def shows(request: RunRequest) -> float:
        case = Case(cell=request.cell)
        lacks = [one for one in needed if one.leave_out(case) == case]
        return 0.0 if lacks or request.cell.connections < least else rate

    folder = tmp_path_factory.mktemp("any")
    result = minimise(folder, shows, cell=cell, seed=data.draw(st.integers(0, 9))).run()
    left = {one.setting for one in list_withouts(result.case)} - {"connections"}
    names = {one.name for one in needed}
    assert names <= left
    if rate == 1.0:
        assert left <= names | ({"proxy"} if "load" in names else set())  # wrk can't do without, over a Unix socket
        assert least <= result.case.cell.connections < max(2 * least, 2)
    assert shows(make_run(result.case, RunRequest(cell=cell, out=folder), folder)) == rate


@pytest.mark.parametrize(("rate", "background"), [(1.0, 0.0), (0.9, 0.05), (0.5, 0.0), (0.2, 0.0)])
def test_right_in_nearly_all_searches_however_noisy(tmp_path: Path, rate: float, background: float) -> None:
    right = 0
    for seed in range(20):
        search = minimise(tmp_path, lambda request: as_in_19_6(request.cell, rate, background), seed=seed)
        result = search.run()
        needed = {one.setting for one in result.necessities if one.necessary}
        right += needed == {"bind", "threads", "max_requests"} and result.case.cell.proxy == "none"
    assert right >= 18


def test_what_cannot_be_run_is_not_left_out_and_not_called_necessary(tmp_path: Path) -> None:
    def shows(request: RunRequest) -> float | None:
        return None if request.cell.proxy == "none" else as_in_19_6(request.cell)

    result = minimise(tmp_path, shows).run()
    (proxy,) = [one for one in result.necessities if one.setting == "proxy"]
    assert (proxy.necessary, result.complete) == (False, False)
    assert "not decided: proxy" in describe_answer(result)
    assert result.case.cell.proxy == "h2o"


def test_a_budget_is_kept(tmp_path: Path) -> None:
    search = minimise(tmp_path, lambda request: as_in_19_6(request.cell, 0.5), budget=12, jobs=5)
    result = search.run()
    assert result.runs <= 12
    assert not result.complete


def test_a_lucky_run_does_not_lead_astray(tmp_path: Path) -> None:
    """A tenth of the runs shows the finding whatever the case is."""
    search = minimise(tmp_path, lambda request: as_in_19_6(request.cell, 1.0, 0.1), seed=3)
    assert search.run().case.cell.bind == "unix"


def test_a_finding_that_does_not_show(tmp_path: Path) -> None:
    with pytest.raises(NotShownError, match="does not show socket-deleted") as caught:
        minimise(tmp_path, lambda _request: 0.0).run()
    assert caught.value.exit_code == EXIT_INCONCLUSIVE
    with pytest.raises(NotShownError, match="does not show any finding"):
        minimise(tmp_path, lambda _request: 0.0, finding=None).run()
    with pytest.raises(HarnessError, match="no answer"):
        minimise(tmp_path, lambda _request: None).run()


def test_a_release_that_cannot_be_run(tmp_path: Path) -> None:
    @dataclass(slots=True)
    class Unrunnable:
        made: int = 0

        def make(self, requests: Sequence[RunRequest]) -> list[RunSummary]:
            return [replace(RUN, outcome=Outcome.UNRUNNABLE, detail="no Python fits") for _ in requests]

    search = minimise(tmp_path, lambda _request: 1.0)
    search.maker = Unrunnable()
    with pytest.raises(UnrunnableError, match="no Python fits"):
        search.run()


def test_the_worst_finding_is_taken_where_none_was_named(tmp_path: Path) -> None:
    result = minimise(tmp_path, lambda request: as_in_19_6(request.cell), finding=None).run()
    assert result.finding == "socket-deleted"


@given(st.sets(st.integers(0, 15)), st.integers(1, 16))
def test_changes_together(needed: set[int], size: int) -> None:
    def change(number: int) -> Callable[[frozenset[int]], frozenset[int]]:
        return lambda case: case - {number}

    asked = []

    def shows(case: frozenset[int]) -> bool:
        asked.append(case)
        return needed <= case

    whole = frozenset(range(16))
    found = reduce_together(whole, [change(number) for number in range(size)], shows)
    assert found == needed | frozenset(range(size, 16))
    assert len(asked) == len(set(asked))


def test_changes_that_contradict_each_other_are_tried_apart() -> None:
    def to(value: int) -> Callable[[int], int | None]:
        return lambda case: None if case == 5 else value

    assert apply_all(0, [to(5), to(6)]) is None
    assert reduce_together(0, [to(5), to(6)], lambda case: case == 5) == 5


@given(st.integers(0, 10), st.integers(0, 10))
def test_the_least_value(size: int, least: int) -> None:
    found = find_least(range(size), lambda value: value >= least, 99)
    assert found == (least if least < size else 99)


@pytest.mark.parametrize(
    ("rate", "sightings", "odds", "said"),
    [
        (1.0, Sightings(shown=1), ON, True),
        (1.0, Sightings(shown=1), SURE, None),
        (1.0, Sightings(shown=2), SURE, True),
        (1.0, Sightings(absent=1), ON, None),
        (1.0, Sightings(absent=2), ON, False),
        (1.0, Sightings(failed=1), ON, None),
        (1.0, Sightings(shown=5, failed=2), ON, False),
        (0.1, Sightings(absent=20), ON, None),
        (0.1, Sightings(absent=50), ON, False),
        (0.1, Sightings(shown=2, absent=3), SURE, True),
        (1.0, Sightings(shown=5, absent=5), SURE, False),
    ],
)
def test_when_a_case_is_decided(rate: float, sightings: Sightings, odds: float, said: bool | None) -> None:
    assert Standard(rate=rate).decide(sightings, odds) is said


def test_when_the_rate_is_known() -> None:
    assert [knows_rate(Sightings(shown=2)), knows_rate(Sightings(shown=3))] == [False, True]
    assert [knows_rate(Sightings(shown=4, absent=30)), knows_rate(Sightings(shown=5, absent=30))] == [False, True]
    assert knows_rate(Sightings(absent=80))


def test_runs_that_hide_the_finding_do_not_show_it() -> None:
    runs = (DELETED, RUN, replace(RUN, recycles=0), replace(RUN, outcome=Outcome.INCONCLUSIVE))
    failed = (replace(RUN, outcome=Outcome.ERROR), replace(RUN, outcome=Outcome.UNRUNNABLE))
    assert count_runs((*runs, *failed), FINDING) == Sightings(shown=1, absent=3, failed=2)


SETTINGS_FILE = '''"""Ours."""
import os

workers = 3
threads = 4
bind = "unix:app.sock"
keepalive = int(os.environ.get("KEEP", 5))


@staticmethod
def post_fork(server, worker):
    pass
'''


def test_a_settings_file_in_statements(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gunicorn.conf.py").write_text(SETTINGS_FILE)
    monkeypatch.chdir(tmp_path)
    statements = split_statements(SETTINGS_FILE)
    assert len(statements) == 6
    assert statements[-1].startswith("@staticmethod\ndef post_fork")
    record = tmp_path / "record"
    record.mkdir()
    (record / "cell.json").write_text(json.dumps({"spec": "19.6.0", "workers": 3, "threads": 4}))
    (record / "facts.json").write_text("{}")
    request = RunRequest(cell=REPORT, out=tmp_path, own=OwnSettings(said="gunicorn.conf.py"))
    start = read_start(request, str(record))
    assert (start.cell.workers, start.cell.threads) == (3, 4)
    assert [one.split()[0] for one in start.statements] == ["import", "keepalive", "@staticmethod"]

    def shows(request: RunRequest) -> float:
        assert request.own is None or request.own.given == GIVEN
        text = "" if request.own is None else Path(request.own.said).read_text()
        return as_in_19_6(request.cell) if "keepalive" in text and "import os" in text else 0.0

    run = replace(DELETED, path=str(record))
    search = minimise(tmp_path, shows, request=request)
    made = search.maker.make
    monkeypatch.setattr(
        SimulatedCells, "make", lambda _self, requests: [run] if requests[0] is request else made(requests)
    )
    result = search.run()
    assert [one.split()[0] for one in result.case.statements] == ["import", "keepalive"]
    assert "--settings=" in " ".join(result.command)
    assert {"own settings"} <= {one.setting for one in result.necessities if one.necessary}


def test_settings_that_were_given_as_a_command_line(tmp_path: Path) -> None:
    rows = [
        {"setting": "keepalive", "yours": "5", "why": "as in the command line"},
        {"setting": "workers", "yours": "3", "why": "as in the command line"},
        {"setting": "accesslog", "yours": "'-'", "why": "the run reads it"},
    ]
    (tmp_path / "cell.json").write_text(json.dumps({"spec": "19.6.0", "workers": 3}))
    (tmp_path / "facts.json").write_text(json.dumps({"settings": rows}))
    request = RunRequest(cell=REPORT, out=tmp_path, own=OwnSettings(said="gunicorn -w 3 --keep-alive 5"))
    assert read_start(request, str(tmp_path)).statements == ("keepalive = 5",)


def test_every_change_makes_a_cell_that_can_be_run() -> None:
    for proxy, bind, worker in (("h2o", "unix", "gthread"), ("none", "tcp", "gevent"), ("nginx", "tcp", "sync")):
        threads = 5 if worker == "gthread" else 1
        case = Case(cell=replace(REPORT, proxy=proxy, bind=bind, worker=worker, threads=threads))
        reductions = list_reductions(case)
        for change in (*reductions.lowest, *reductions.together, *reductions.alone):
            smaller = change(case)
            assert smaller is None or find_contradiction(smaller.cell) is None


def test_changes_and_commands_in_words() -> None:
    one = Case(cell=REPORT, statements=("a = 1", "def f():\n    pass"))
    other = Case(cell=replace(REPORT, bind="tcp", workers=1), statements=("a = 1",))
    assert describe_change(one, other) == "workers 5 -> 1, bind unix -> tcp, def f(): ... left out"
    assert describe_change(one, one) == "nothing"
    assert write_command(other, "kept.py") == (
        "harness",
        "reproduce",
        "--workers=1",
        "--bind=tcp",
        "--settings=kept.py",
        "19.6.0",
    )


def test_reports_say_the_answer_first(tmp_path: Path) -> None:
    result = minimise(tmp_path, lambda request: as_in_19_6(request.cell)).run()
    answer = "socket-deleted in 19.6.0 needs bind unix"
    assert render_terminal(result).startswith(answer)
    assert render_markdown(result).startswith(f"# {answer}")
    assert f"<h1>{answer}" in render_html(result)
    for text in (render_terminal(result), render_markdown(result), render_html(result)):
        assert "in 0 of 3 runs" in text
    stored = json.loads(json.dumps(result_to_json(result)))
    assert (stored["schema"], stored["complete"], stored["smallest"]["shown"]) == (1, True, 5)
    assert [row["necessary"] for row in stored["necessity"]] == [True, True, True]
    assert stored["smallest"]["cell"]["max_requests"] == 1


SMALL = Case(
    cell=replace(
        REPORT, proxy="none", load="httpx", workers=1, threads=2, max_requests=1, connections=1, load_threads=1
    )
)


def record_of(folder: Path, **more: object) -> Path:
    gunicorn = {"version": "19.6.0", "freeze": ["bottle==0.12.13", "gunicorn==19.6.0"], "shims": [], "command": ["-"]}
    (folder / "facts.json").write_text(json.dumps({"gunicorn": {**gunicorn, **more}, "python": {"version": "3.6.15"}}))
    (folder / "reproduce.sh").write_text("#!/bin/sh\nthe whole of it\n")
    return folder


def test_a_short_script_where_a_few_lines_are_enough(tmp_path: Path) -> None:
    script = make_script(SMALL, FINDING, record_of(tmp_path))
    assert script is not None
    assert script.is_short
    assert script.lines <= 40
    assert "--workers 1 --threads 2 --max-requests 1" in script.text
    assert "bottle" not in script.text
    assert (script.reproduced, script.took_s) == (None, None)  # its environment is gone


@pytest.mark.parametrize(
    "case",
    [
        replace(SMALL, cell=replace(SMALL.cell, proxy="h2o")),
        replace(SMALL, cell=replace(SMALL.cell, connections=2)),
        replace(SMALL, cell=replace(SMALL.cell, spec="./checkout")),
        replace(SMALL, statements=("a = 1",)),
    ],
)
def test_else_the_script_of_the_record(tmp_path: Path, case: Case) -> None:
    assert not is_plain(case, FINDING)
    script = make_script(case, FINDING, record_of(tmp_path))
    assert script is not None
    assert (script.is_short, script.text) == (False, "#!/bin/sh\nthe whole of it\n")


def test_no_script_without_a_record(tmp_path: Path) -> None:
    assert make_script(SMALL, FINDING, tmp_path) is None
    shimmed = make_script(SMALL, FINDING, record_of(tmp_path, shims=["no-reuse-port"]))
    assert shimmed is not None
    assert not shimmed.is_short
