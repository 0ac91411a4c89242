from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.model import Cell, Outcome
from harness.studies.matrix.campaign import schedule
from harness.studies.matrix.campaign.runner import is_wanted
from harness.studies.matrix.campaign.schedule import Attempt, Refusal, Task, make_tasks, run_tasks
from harness.studies.matrix.plan import PlannedCell
from harness.studies.matrix.result import RunResult
from tests.unit.matrices import a_run

UNSURE = a_run(outcome=Outcome.INCONCLUSIVE)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "TICK_S", 0.0)


def cells(count: int) -> tuple[PlannedCell, ...]:
    return tuple(PlannedCell(name=f"cell{place}", cell=Cell(spec=f"1.{place}")) for place in range(count))


class Fake:
    """An attempt that ends after so many looks."""

    def __init__(self, looks: int = 1) -> None:
        self.looks = looks
        self.calls: list[str] = []

    def ended(self) -> bool:
        self.looks -= 1
        return self.looks <= 0

    def interrupt(self) -> None:
        self.calls.append("interrupt")

    def stop(self) -> None:
        self.calls.append("stop")


class Recorder:
    """Begins fakes and notes what happens; ``looks`` by the name of a cell, ``again`` counts down retries."""

    def __init__(self, looks: dict[str, int] | None = None) -> None:
        self.looks = looks or {}
        self.begun: list[Task] = []
        self.finished: list[Task] = []
        self.again: dict[str, int] = {}
        self.most = 0
        self.attempts: list[Fake] = []

    def begin(self, task: Task) -> Attempt | Refusal:
        self.begun.append(task)
        self.attempts.append(Fake(self.looks.get(task.planned.name, 1)))
        return self.attempts[-1]

    def finish(self, task: Task) -> bool:
        self.finished.append(task)
        left = self.again.get(task.planned.name, 0)
        self.again[task.planned.name] = left - 1
        return left > 0

    def tick(self, running: tuple[Task, ...], waiting: int) -> None:
        assert waiting >= 0
        self.most = max(self.most, len(running))


def test_rounds_go_over_all_cells_before_the_next_begins() -> None:
    tasks = make_tasks(cells(2), 2)
    assert [(task.planned.name, task.number) for task in tasks] == [
        ("cell0", 1),
        ("cell1", 1),
        ("cell0", 2),
        ("cell1", 2),
    ]


@given(st.integers(0, 7), st.integers(1, 4), st.lists(st.integers(1, 5), min_size=7, max_size=7))
def test_every_task_runs_once_and_never_more_at_once_than_asked(count: int, jobs: int, looks: list[int]) -> None:
    seen = Recorder({f"cell{place}": number for place, number in enumerate(looks)})
    tasks = make_tasks(cells(count), 2)
    run_tasks(tasks, jobs=jobs, begin=seen.begin, finish=seen.finish, tick=seen.tick)  # type: ignore[arg-type]
    assert sorted(seen.begun, key=tasks.index) == sorted(seen.finished, key=tasks.index) == list(tasks)
    assert seen.begun == list(tasks), "in the order of the tasks"
    assert seen.most <= jobs
    assert seen.most == min(jobs, len(tasks))


def test_what_said_nothing_is_tried_again_at_the_end() -> None:
    seen = Recorder()
    seen.again["cell0"] = 2
    run_tasks(make_tasks(cells(2), 1), jobs=1, begin=seen.begin, finish=seen.finish, tick=seen.tick)  # type: ignore[arg-type]
    assert [task.planned.name for task in seen.begun] == ["cell0", "cell1", "cell0", "cell0"]


def test_what_is_done_is_left_out_and_what_is_busy_comes_back_later() -> None:
    answers: dict[str, list[Attempt | Refusal]] = {
        "cell0": [Refusal.BUSY, Refusal.BUSY, Refusal.DONE],
        "cell1": [Fake()],
    }
    asked, finished = list[str](), list[str]()

    def begin(task: Task) -> Attempt | Refusal:
        asked.append(task.planned.name)
        return answers[task.planned.name].pop(0)

    def finish(task: Task) -> bool:
        finished.append(task.planned.name)
        return False

    run_tasks(make_tasks(cells(2), 1), jobs=2, begin=begin, finish=finish, tick=lambda *_: None)
    assert asked == ["cell0", "cell1", "cell0", "cell0"]
    assert finished == ["cell1"]


@pytest.mark.parametrize("where", ["begin", "tick", "finish"])
def test_whatever_ends_it_stops_every_attempt(where: str) -> None:
    seen = Recorder({"cell0": 9, "cell1": 9, "cell2": 1})
    calls = {"begin": seen.begin, "tick": seen.tick, "finish": seen.finish}

    def fail(*_: object) -> None:
        if len(seen.begun) >= 3 or where == "begin":
            raise KeyboardInterrupt

    def begin(task: Task) -> Attempt | Refusal:
        if where == "begin" and len(seen.begun) == 2:
            raise KeyboardInterrupt
        return seen.begin(task)

    calls |= {"begin": begin} if where == "begin" else {where: fail}
    with pytest.raises(KeyboardInterrupt):
        run_tasks(make_tasks(cells(3), 1), jobs=3, **calls)  # type: ignore[arg-type]
    still = [attempt for attempt in seen.attempts if attempt.looks > 0]
    assert len(still) >= 2
    assert all(attempt.calls == ["interrupt", "stop"] for attempt in still)


@pytest.mark.parametrize(
    ("results", "number", "retries", "wanted"),
    [
        ([], 1, 0, True),
        ([a_run()], 1, 1, False),
        ([a_run()], 2, 0, True),
        ([UNSURE], 1, 0, False),
        ([UNSURE], 1, 1, True),
        ([UNSURE, UNSURE], 1, 1, False),
        ([UNSURE, a_run()], 1, 1, False),
        ([UNSURE, a_run()], 2, 1, True),
        ([UNSURE, UNSURE, a_run()], 2, 1, False),
    ],
)
def test_a_run_is_wanted_while_verdicts_and_tries_are_lacking(
    results: list[RunResult], number: int, retries: int, *, wanted: bool
) -> None:
    assert is_wanted(results, number=number, retries=retries) is wanted
