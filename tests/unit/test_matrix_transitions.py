from __future__ import annotations

from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from harness.core.findings import FindingId
from harness.core.model import Outcome
from harness.studies.matrix.result import CellResult, RunResult
from harness.studies.matrix.transitions import MEASURES_EACH, Measure, TransitionMap, find_transitions
from tests.unit.matrices import a_cell, a_run

DELETED, FAILED = FindingId.SOCKET_DELETED.value, FindingId.FAILED_RESPONSES.value
OUTAGE = FindingId.PERMANENT_OUTAGE.value


def runs(seen: int, of: int, finding: str = FAILED) -> list[RunResult]:
    return [a_run(finding)] * seen + [a_run()] * (of - seen)


def claims(found: TransitionMap) -> list[tuple[str, str, str | None, str | None]]:
    return [(edge.worker, edge.finding, edge.introduced_in, edge.gone_in) for edge in found.supported]


def test_a_change_is_claimed_once_there_are_runs_enough() -> None:
    found = find_transitions([a_cell("1.0", *runs(0, 9)), a_cell("2.0", *runs(9, 9)), a_cell("1.1", *runs(0, 9))])
    assert claims(found) == [("sync", FAILED, "2.0", None), ("sync", FAILED, None, "1.1")]
    assert found.looked_at == 2 * MEASURES_EACH
    assert all(edge.supported and edge.p_value <= 0.01 for edge in found.supported)
    assert found.undecided == ()


def test_there_is_room_for_every_finding_and_the_share_of_restarts() -> None:
    assert len(FindingId) + 1 <= MEASURES_EACH


def test_three_runs_a_cell_claim_nothing_and_say_how_many_more_would() -> None:
    found = find_transitions([a_cell("1.0", *runs(0, 3)), a_cell("2.0", *runs(3, 3))])
    assert found.supported == ()
    (edge,) = found.undecided
    assert (edge.before.release, edge.after.release, edge.supported) == ("1.0", "2.0", False)
    assert edge.more_runs is not None
    enough = 3 + edge.more_runs
    assert claims(find_transitions([a_cell("1.0", *runs(0, enough)), a_cell("2.0", *runs(enough, enough))]))
    assert not claims(
        find_transitions([a_cell("1.0", *runs(0, enough - 1)), a_cell("2.0", *runs(enough - 1, enough - 1))])
    )


def test_the_map_goes_by_dates_not_by_numbers() -> None:
    by_number = [a_cell("1.0", *runs(0, 9)), a_cell("1.1", *runs(0, 9)), a_cell("2.0", *runs(9, 9))]
    first, second = find_transitions(by_number).supported
    assert (first.introduced_in, second.gone_in) == ("2.0", "1.1")
    assert (first.before.day, first.after.day, second.after.day) == ("2020-01-01", "2020-02-01", "2020-03-01")


def test_each_worker_has_its_own_history_and_what_has_no_date_has_none() -> None:
    cells = [
        a_cell("1.0", *runs(9, 9), worker="gthread"),
        a_cell("1.0", *runs(0, 9), worker="sync"),
        a_cell("2.0", *runs(9, 9), worker="gthread"),
        a_cell("2.0", *runs(9, 9), worker="sync"),
        a_cell("0.9-dev", *runs(9, 9, DELETED), worker="sync"),
    ]
    assert claims(find_transitions(cells)) == [("sync", FAILED, "2.0", None)]


def test_a_release_whose_other_fault_hides_this_one_ends_nothing_and_is_named() -> None:
    never_recycled = replace(a_run(FindingId.MAX_REQUESTS_IGNORED.value), recycles=0)
    cells = [
        a_cell("1.0", *runs(9, 9)),
        a_cell("2.0", *[a_run(DELETED, OUTAGE)] * 9),
        a_cell("1.1", *[never_recycled] * 9),
        a_cell("3.0", *runs(9, 9)),
    ]
    found = find_transitions(cells)
    assert [edge for edge in (*found.supported, *found.undecided) if edge.finding == FAILED] == []
    gone = next(edge for edge in found.supported if edge.finding == DELETED and edge.gone_in)
    assert (gone.gone_in, gone.silent) == ("3.0", ("1.1",))
    unsure = [a_run(outcome=Outcome.INCONCLUSIVE)] * 9
    (edge,) = find_transitions([cells[0], a_cell("2.0", *unsure), a_cell("1.1", *runs(0, 9))]).supported
    assert (edge.gone_in, edge.silent) == ("1.1", ("2.0",))


def test_settings_that_cannot_show_a_finding_say_nothing_of_it() -> None:
    blind = replace(a_cell("2.0", *runs(0, 9)), blind=(FAILED,))
    assert find_transitions([a_cell("1.0", *runs(9, 9)), blind]) == TransitionMap(looked_at=MEASURES_EACH)


def test_a_rate_that_changes_is_an_edge_too() -> None:
    """A finding of every run on both sides, at 9 % of the restarts of one release and 75 % of those of the next."""

    def losing(bursts: int, count: int) -> list[RunResult]:
        return [replace(a_run(FAILED), recycles=100, bursts=bursts)] * count

    found = find_transitions([a_cell("1.0", *losing(9, 30)), a_cell("2.0", *losing(75, 30))])
    (edge,) = found.supported
    assert (edge.measure, edge.introduced_in, edge.gone_in) == (Measure.RESTARTS, None, None)
    few = find_transitions([a_cell("1.0", *losing(9, 18)), a_cell("2.0", *losing(75, 18))])
    assert (few.supported, [edge.measure for edge in few.undecided]) == ((), [Measure.RESTARTS])
    first = find_transitions([a_cell("1.0", *losing(24, 2)), a_cell("2.0", *losing(73, 2))])
    assert [(edge.measure, edge.more_runs and edge.more_runs > 20) for edge in first.undecided] == [
        (Measure.RESTARTS, True)
    ], "two runs of each claim nothing, and hide nothing"
    alike = find_transitions([a_cell("1.0", *losing(9, 12)), a_cell("2.0", *losing(12, 12))])
    assert (alike.supported, alike.undecided) == ((), ())


RELEASES = [f"{number}.0" for number in range(12)]
DAYS = {release: f"2020-{month:02}-01" for month, release in enumerate(RELEASES, start=1)}


def column(rates: list[float], count: int, seed: int) -> list[CellResult]:
    random = Random(seed)  # noqa: S311 - no secret
    cells = []
    for release, rate in zip(RELEASES, rates, strict=False):
        seen = [a_run(FAILED) if random.random() < rate else a_run() for _ in range(count)]
        cells.append(replace(a_cell(release, *seen), released=DAYS[release]))
    return cells


@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.05, 0.5, 1.0]))
def test_where_nothing_changes_nothing_is_claimed(seed: int, rate: float) -> None:
    assert find_transitions(column([rate] * 12, 12, seed)).supported == ()


@given(st.lists(st.sampled_from([0.0, 1.0]), min_size=2, max_size=12))
def test_what_is_always_or_never_there_is_claimed_where_it_changes_and_nowhere_else(rates: list[float]) -> None:
    changes = [DAYS[RELEASES[place]] for place in range(1, len(rates)) if rates[place] != rates[place - 1]]
    assert [edge.after.day for edge in find_transitions(column(rates, 12, 0)).supported] == changes
