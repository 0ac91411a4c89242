from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from harness.core.errors import UsageError
from harness.provision.releases import ReleaseRow, list_releases
from harness.studies.matrix.selection import Shard, parse_shard, select_names, select_versions, take_shard
from tests.unit.matrices import RELEASES

NUMBERS = sorted((row.version for row in RELEASES), key=Version)
WORKERS = ("gthread", "sync", "gevent")


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("1.0", ["1.0"]),
        ("1.0..2.0", ["1.0", "1.1", "2.0"]),
        ("..1.1", ["1.0", "1.1"]),
        ("1.1..", ["1.1", "2.0", "3.0"]),
        ("1..1", ["1.0", "1.1"]),  # 1 as an end means all of 1.*
        ("1.0.5..2", ["1.1", "2.0"]),  # an end need not exist
        ("3.0,1.0..1.1,1.0", ["1.0", "1.1", "3.0"]),
        (" 1.0 ,, 2.0,", ["1.0", "2.0"]),
        ("9.9", ["9.9"]),  # newer than the catalogue: the index may know it
        ("latest,1.0", ["1.0", "latest"]),
        ("./checkout,2.0,git+file:///x@v1..2", ["2.0", "./checkout", "git+file:///x@v1..2"]),
        ("../checkout", ["../checkout"]),
    ],
)
def test_what_the_user_names_becomes_releases_by_number_then_the_rest(text: str, chosen: list[str]) -> None:
    assert list(select_versions(text, RELEASES)) == chosen


def test_all_begins_with_the_oldest_that_install() -> None:
    chosen = select_versions("all", list_releases())
    assert chosen[:2] == ("0.16.0", "0.16.1")
    assert {"19.6.0", "19.10.0", "20.0.0", "27.0.1"} <= set(chosen)
    assert "18.0" in chosen


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "names no release"),
        (" , ", "names no release"),
        ("..", "has no end"),
        ("5..6", r"No known release lies in 5\.\.6\.\nTo do: Known are those from 1\.0 to 3\.0"),
        ("2.0..1.0", r"No known release lies in 2\.0\.\.1\.0"),
        ("1.0..1x2y", "has the end '1x2y', which is no release"),
    ],
)
def test_what_cannot_be_meant_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        select_versions(text, RELEASES)


@given(st.sampled_from(NUMBERS), st.sampled_from(NUMBERS))
def test_a_range_holds_exactly_what_lies_between_its_ends(first: str, last: str) -> None:
    wanted = [number for number in NUMBERS if Version(first) <= Version(number) <= Version(last)]
    if wanted:
        assert list(select_versions(f"{first}..{last}", RELEASES)) == wanted
    else:
        with pytest.raises(UsageError):
            select_versions(f"{first}..{last}", RELEASES)


@given(st.lists(st.sampled_from([*NUMBERS, "latest", "./x", "1.0..2.0", "2.."]), min_size=1))
def test_each_is_named_once_and_the_order_of_naming_means_nothing_for_releases(parts: list[str]) -> None:
    chosen = select_versions(",".join(parts), RELEASES)
    assert max(Counter(chosen).values()) == 1
    releases = [spec for spec in chosen if spec in NUMBERS]
    assert releases == sorted(releases, key=Version) == list(chosen[: len(releases)])
    assert set(select_versions(",".join(reversed(parts)), RELEASES)) == set(chosen)


def test_the_order_of_releases_known_by_date_does_not_matter() -> None:
    by_number = tuple(sorted(RELEASES, key=lambda row: Version(row.version)))
    assert select_versions("1.0..", by_number) == select_versions("1.0..", RELEASES)


def test_names_keep_the_order_of_those_known() -> None:
    assert select_names("gevent, gthread", WORKERS, "--workers") == ("gthread", "gevent")
    assert select_names("all", WORKERS, "--workers") == WORKERS


@pytest.mark.parametrize("text", ["", "greenlet", "sync,greenlet", "all,greenlet"])
def test_an_unknown_name_is_refused_with_those_that_are_known(text: str) -> None:
    with pytest.raises(UsageError, match=r"--workers .*\nTo do: Name gthread, sync, gevent") as caught:
        select_names(text, WORKERS, "--workers")
    assert "greenlet" in str(caught.value) or not text


@pytest.mark.parametrize("text", ["", "1", "0/4", "5/4", "1/0", "a/b", "1/4/2", "-1/4", "1 / 4"])
def test_what_is_no_shard(text: str) -> None:
    with pytest.raises(ValueError, match="is no shard"):
        parse_shard(text)


@given(st.lists(st.tuples(st.sampled_from("abcdefg"), st.integers(0, 3))), st.integers(1, 9))
def test_shards_are_a_partition_that_keeps_releases_together(cells: list[tuple[str, int]], of: int) -> None:
    parts = [
        take_shard(cells, parse_shard(f"{number}/{of}"), spec_of=lambda cell: cell[0]) for number in range(1, of + 1)
    ]
    assert Counter(cell for part in parts for cell in part) == Counter(cells)
    owners = [{cell[0] for cell in part} for part in parts]
    assert sum(map(len, owners)) == len({cell[0] for cell in cells})
    assert max(map(len, owners)) - min(map(len, owners)) <= 1


def test_without_a_shard_there_is_everything() -> None:
    assert take_shard([("a", 1)], None, spec_of=lambda cell: cell[0]) == (("a", 1),)
    assert str(Shard(number=2, of=4)) == "2/4"


def test_a_release_of_an_empty_catalogue() -> None:
    assert select_versions("1.0", tuple[ReleaseRow, ...]()) == ("1.0",)
    with pytest.raises(UsageError):
        select_versions("all", ())
