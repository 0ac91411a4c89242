from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.findings import FindingId
from harness.core.model import Outcome
from harness.studies.matrix.transitions import Sighting, Stretch, find_stretches, find_transitions
from tests.unit.matrices import RELEASES, a_cell, a_run

DELETED, FAILED = FindingId.SOCKET_DELETED.value, FindingId.FAILED_RESPONSES.value


def see(pattern: str) -> list[Sighting]:
    """``.x?``: absent, present, said nothing; releases are called by their place."""
    states = {".": False, "x": True, "?": None}
    return [Sighting(release=str(place), present=states[state]) for place, state in enumerate(pattern)]


@pytest.mark.parametrize(
    ("pattern", "edges"),
    [
        ("", []),
        ("...", []),
        ("???", []),
        ("xxx", [(None, None)]),
        (".x.", [("1", "2")]),
        ("x.", [(None, "1")]),
        (".x", [("1", None)]),
        (".xx.x.", [("1", "3"), ("4", "5")]),
        ("x?x", [(None, None)]),  # silence never ends a stretch
        (".?x?.", [("2", "4")]),
        ("?x", [(None, None)]),  # nobody knows what was before
    ],
)
def test_the_edges_of_a_finding(pattern: str, edges: list[tuple[str | None, str | None]]) -> None:
    assert [(stretch.introduced_in, stretch.gone_in) for stretch in find_stretches(see(pattern))] == edges


def test_what_said_nothing_at_an_edge_is_told() -> None:
    (stretch,) = find_stretches(see(".??x?x?."))
    assert stretch == Stretch(
        introduced_in="3", gone_in="7", releases=("3", "5"), unsure_before=("1", "2"), unsure_after=("6",)
    )


@given(st.text(alphabet=".x?", max_size=30))
def test_stretches_cover_every_sighting_once_and_nothing_else(pattern: str) -> None:
    stretches = find_stretches(see(pattern))
    covered = [release for stretch in stretches for release in stretch.releases]
    assert covered == [str(place) for place, state in enumerate(pattern) if state == "x"]
    for stretch in stretches:
        assert stretch.introduced_in in (None, stretch.releases[0])
        assert stretch.gone_in is None or pattern[int(stretch.gone_in)] == "."
        assert all(pattern[int(release)] == "?" for release in (*stretch.unsure_before, *stretch.unsure_after))
    for earlier, later in pairwise(stretches):
        assert earlier.gone_in is not None
        assert later.introduced_in is not None
        assert int(earlier.gone_in) < int(later.introduced_in)


@given(st.text(alphabet=".x", max_size=30))
def test_time_turned_round_swaps_the_edges(pattern: str) -> None:
    forth, back = find_stretches(see(pattern)), find_stretches(see(pattern)[::-1])
    assert [stretch.releases for stretch in forth] == [stretch.releases[::-1] for stretch in back[::-1]]
    assert [stretch.gone_in is None for stretch in forth] == [stretch.introduced_in is None for stretch in back[::-1]]


def test_the_map_goes_by_dates_not_by_numbers() -> None:
    by_number = [a_cell("1.0", a_run()), a_cell("1.1", a_run()), a_cell("2.0", a_run(FAILED)), a_cell("3.0", a_run())]
    (transition,) = find_transitions(by_number, RELEASES)
    assert (transition.introduced_in, transition.gone_in) == ("2.0", "1.1")
    assert transition.dates == {
        "introduced_in": "2020-02-01",
        "gone_in": "2020-03-01",
        "first": "2020-02-01",
        "last": "2020-02-01",
    }


def test_each_worker_and_each_finding_has_its_own_history() -> None:
    cells = [
        a_cell("1.0", a_run(FAILED), worker="gthread"),
        a_cell("1.0", a_run(), worker="sync"),
        a_cell("2.0", a_run(DELETED, FAILED), worker="gthread"),
        a_cell("2.0", a_run(outcome=Outcome.INCONCLUSIVE), worker="sync"),
        a_cell("3.0", a_run(), worker="gthread"),
        a_cell("3.0", a_run(FAILED), worker="sync"),
        a_cell("0.9-dev", a_run(DELETED), worker="sync"),  # of no known date
    ]
    told = [(one.worker, one.finding, one.introduced_in, one.gone_in) for one in find_transitions(cells, RELEASES)]
    assert told == [
        ("gthread", DELETED, "2.0", "3.0"),
        ("gthread", FAILED, None, "3.0"),
        ("sync", FAILED, "3.0", None),
    ]
    (last,) = [one for one in find_transitions(cells, RELEASES) if one.worker == "sync"]
    assert last.stretch.unsure_before == ("2.0",)


def test_a_release_whose_other_fault_hides_this_one_ends_nothing() -> None:
    never_recycled = replace(a_run(FindingId.MAX_REQUESTS_IGNORED.value), recycles=0)
    cells = [
        a_cell("1.0", a_run(FAILED)),
        a_cell("2.0", a_run(DELETED, FindingId.PERMANENT_OUTAGE.value)),
        a_cell("1.1", never_recycled),
        a_cell("3.0", a_run(FAILED)),
    ]
    by_finding = {one.finding: one for one in find_transitions(cells, RELEASES)}
    assert by_finding[FAILED].stretch.releases == ("1.0", "3.0")
    assert (by_finding[FAILED].introduced_in, by_finding[FAILED].gone_in) == (None, None)
    assert (by_finding[DELETED].introduced_in, by_finding[DELETED].gone_in) == ("2.0", "3.0")
    assert by_finding[DELETED].stretch.unsure_after == ("1.1",)
