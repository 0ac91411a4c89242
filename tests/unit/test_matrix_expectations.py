from __future__ import annotations

from pathlib import Path

import pytest

from harness.core.errors import UsageError
from harness.core.model import Cell, Outcome
from harness.disturb import DISTURBANCES
from harness.engine.options import CHOICES
from harness.provision.releases import list_releases, load_catalogue
from harness.stack.proxies import PROXIES
from harness.studies.matrix.expectations import (
    HOLDS,
    describe,
    describe_expected,
    load_expectations,
    parse_expectations,
)
from harness.studies.matrix.result import Expected

TEXT = """
schema = 1
[[expect]]
releases = "==19.6.0"
workers = ["gthread"]
binds = ["unix"]
findings = ["socket-deleted", "permanent-outage"]
sometimes = ["failed-responses"]
upstream = [1298]
reason = '''a worker
  unlinks it'''
[[expect]]
releases = "<19.3"
workers = ["gthread"]
verdict = "inconclusive"
reason = "never recycles"
"""


def cell(worker: str = "gthread", *, bind: str = "unix", proxy: str = "h2o", disturb: str = "recycle") -> Cell:
    return Cell(spec="x", worker=worker, bind=bind, proxy=proxy, disturb=disturb)


def test_an_entry_speaks_of_its_cells_alone() -> None:
    known = parse_expectations(TEXT, origin="it")
    assert known.expect("19.6.0", cell()) == Expected(
        outcome=Outcome.VIOLATED,
        findings=("socket-deleted", "permanent-outage"),
        sometimes=("failed-responses",),
        reason="a worker unlinks it",
        upstream=(1298,),
    )
    assert known.expect("19.2.1", cell()).outcome is Outcome.INCONCLUSIVE
    for release, other in [("19.6.0", cell("sync")), ("19.6.0", cell(bind="tcp")), ("19.5.0", cell())]:
        assert known.expect(release, other) is HOLDS


def test_an_unknown_release_must_hold() -> None:
    known = parse_expectations(TEXT, origin="it")
    assert known.expect("./checkout", cell()) is HOLDS
    assert known.expect("27.1.0.dev1", cell()) is HOLDS


def test_a_worker_class_that_a_release_does_not_have_is_unrunnable_unless_an_entry_knows_better() -> None:
    known = parse_expectations(TEXT, origin="it")
    assert known.expect("26.0.0", cell("eventlet"), gap="it left") == Expected(
        outcome=Outcome.UNRUNNABLE, reason="it left"
    )
    assert known.expect("19.6.0", cell(), gap="it left").outcome is Outcome.VIOLATED


def test_two_entries_for_one_cell_are_refused() -> None:
    twice = parse_expectations(TEXT.replace("<19.3", "<20"), origin="it.toml")
    with pytest.raises(UsageError, match=r"it\.toml has 2 entries for gunicorn 19\.6\.0, gthread, h2o"):
        twice.expect("19.6.0", cell())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("schema = 1", "schema = 2", "it has schema 2"),
        ("schema = 1", "schema = [", "it is no TOML"),
        ('releases = "==19.6.0"', 'releases = "nineteen"', "it, entry 1: releases: "),
        ('releases = "==19.6.0"', "", "it, entry 1: releases is missing"),
        ('reason = "never recycles"', 'reason = " "', "it, entry 2: reason is missing"),
        ('reason = "never recycles"', 'reason = "x"\nfindigns = []', "it, entry 2: findigns is no key"),
        ("socket-deleted", "socket-delted", "it, entry 1: socket-delted is no finding"),
        ('"inconclusive"', '"maybe"', "it, entry 2: 'maybe' is not a valid Outcome"),
        ('"inconclusive"', '"violated"', "it, entry 2: findings and the verdict violated don't go together"),
        ("[1298]", '["1298"]', "it, entry 1: upstream is no list of issue numbers"),
        ('["unix"]', '"unix"', "it, entry 1: binds is no list of texts"),
    ],
)
def test_a_faulty_file_is_refused_with_the_entry(old: str, new: str, message: str) -> None:
    assert old in TEXT
    with pytest.raises(UsageError) as caught:
        parse_expectations(TEXT.replace(old, new), origin="it")
    assert str(caught.value).startswith(message)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="can't be read"):
        load_expectations(tmp_path / "none.toml")


def test_the_packed_file_has_one_answer_for_each_cell_and_no_entry_for_none() -> None:
    known = load_expectations()
    releases = [row.version for row in list_releases()]
    cells = [
        cell(worker, bind=bind, proxy=proxy)
        for worker in CHOICES["worker"]
        for bind in CHOICES["bind"]
        for proxy in PROXIES
    ]
    cells += [cell(worker, disturb=name) for worker in CHOICES["worker"] for name in DISTURBANCES]
    for release in releases:
        for one in cells:
            known.expect(release, one, gap=load_catalogue().why_no_worker(release, one.worker))
    idle = [
        entry for entry in known.entries if not any(entry.covers(release, one) for release in releases for one in cells)
    ]
    assert idle == []


def test_the_packed_file_knows_the_bug_that_the_project_is_about() -> None:
    expected = load_expectations().expect("19.6.0", cell())
    assert expected.findings == ("socket-deleted", "permanent-outage")
    assert 1298 in expected.upstream
    assert load_expectations().expect("19.6.0", cell("sync")).outcome is Outcome.HOLDS


def test_common_entries_add_to_what_is_known_of_a_cell() -> None:
    more = """
    [[also]]
    releases = "<19.7"
    binds = ["unix"]
    findings = ["socket-left-behind"]
    sometimes = ["stop-overdue"]
    upstream = [922]
    reason = "it forgets the file"
    """
    known = parse_expectations(TEXT + more, origin="it")
    added = known.expect("19.6.0", cell())
    assert added.findings == ("socket-deleted", "permanent-outage", "socket-left-behind")
    assert added.reason.endswith("it forgets the file")
    assert 922 in added.upstream
    alone = known.expect("19.0.0", cell("gevent"))
    assert (alone.outcome, alone.findings, alone.sometimes) == (
        Outcome.VIOLATED,
        ("socket-left-behind",),
        ("stop-overdue",),
    )
    assert known.expect("19.0.0", cell("gevent", bind="tcp")).outcome is Outcome.HOLDS
    assert known.expect("19.0.0", cell("gevent"), gap="it has no gevent").outcome is Outcome.UNRUNNABLE


def test_verdicts_and_expectations_in_words() -> None:
    assert describe(Outcome.HOLDS, ()) == "holds"
    assert describe(Outcome.VIOLATED, ["a", "b"], {"b": "1 of 3"}) == "violated: a, b (1 of 3)"
    both = Expected(outcome=Outcome.VIOLATED, findings=("a",), sometimes=("b",))
    assert describe_expected(both) == "violated: a, sometimes b"
    assert (
        describe_expected(Expected(outcome=Outcome.HOLDS, sometimes=("b",))) == "sometimes b; holds in the other runs"
    )


def test_every_issue_that_the_packed_file_names_has_its_title() -> None:
    for entry in load_expectations().entries:
        assert len(entry.expected.titles) == len(entry.expected.upstream)
        assert all(entry.expected.titles), entry.expected.upstream


def test_titles_stand_beside_the_numbers_where_a_file_has_them() -> None:
    titled = parse_expectations(TEXT + '[titles]\n1298 = "unix socket gets deleted"\n', origin="it")
    assert titled.expect("19.6.0", cell()).titles == ("unix socket gets deleted",)
    assert parse_expectations(TEXT, origin="it").expect("19.6.0", cell()).titles == ()
    with pytest.raises(UsageError, match="titles is no table of issue numbers"):
        parse_expectations(TEXT + "[titles]\nabc = 3\n", origin="it")
