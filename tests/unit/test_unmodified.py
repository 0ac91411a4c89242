"""What a verdict on an unmodified release is worth, and how the runs are dealt out."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.unmodified.__main__ import plan_trials, render_row, render_table
from tests.unmodified.subjects import SUBJECTS, Judged, Subject, assess

DELETES = Subject(release="1.0", worker="gthread", proxy="h2o", must=frozenset({"socket-deleted"}))
KEEPS = Subject(release="2.0", worker="sync", proxy="h2o", may=frozenset({"failed-responses"}))


def _said(verdict: str, *found: str, notes: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"verdict": verdict, "findings": [{"id": one} for one in found], "notes": [{"id": one} for one in notes]}


@pytest.mark.parametrize(
    ("subject", "said", "judged"),
    [
        (DELETES, _said("violated", "socket-deleted"), Judged.RIGHT),
        (DELETES, _said("holds"), Judged.WRONG),
        (DELETES, _said("violated", "socket-deleted", "recycled-late"), Judged.WRONG),
        (DELETES, _said("inconclusive"), Judged.INCONCLUSIVE),
        (KEEPS, _said("holds"), Judged.RIGHT),
        (KEEPS, _said("violated", "failed-responses"), Judged.RIGHT),
        (KEEPS, _said("violated", "worker-crashed"), Judged.WRONG),
        (KEEPS, _said("inconclusive", notes=("interference",)), Judged.WRONG),
        (KEEPS, _said("error"), Judged.WRONG),
        (KEEPS, {}, Judged.WRONG),
    ],
)
def test_what_a_verdict_is_worth(subject: Subject, said: dict[str, Any], judged: Judged) -> None:
    got, why = assess(subject, said)
    assert got is judged
    assert bool(why) == (judged is Judged.WRONG)


def test_half_of_each_releases_runs_are_beside_busy_loops() -> None:
    trials = list(plan_trials(SUBJECTS, 100, 100))
    counts = Counter((trial.subject.name, trial.profile, trial.loops) for trial in trials)
    assert len(trials) == 200
    assert set(counts.values()) == {10}


def test_the_table_counts_what_says_nothing_apart() -> None:
    row: dict[str, Any] = {"trial": "a", "why": "", "verdict": "x", "findings": [], "reasons": ["because"], "took_s": 1}
    rows = [{**row, "judged": judged.value} for judged in (Judged.RIGHT, Judged.RIGHT, Judged.INCONCLUSIVE)]
    assert render_table(rows).splitlines()[-1].split() == ["all", "2", "1", "0"]
    assert [len(render_row(row).splitlines()) for row in rows] == [1, 1, 2]
