"""The catalogue: which release runs where, with which pins and shims; and what a missing module means."""

from __future__ import annotations

import pytest
from packaging.requirements import Requirement

from harness.provision.releases import (
    Catalogue,
    Gap,
    Minor,
    Pin,
    PythonLimit,
    Shim,
    list_releases,
    load_catalogue,
    parse_catalogue,
)
from harness.provision.stdlib import missing_module, was_in_stdlib
from harness.stack.shims import SHIMS
from harness.stack.workers import WORKERS


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


@pytest.mark.parametrize(
    ("release", "worker", "newest"),
    [
        ("18.0", "sync", (3, 10)),
        ("19.0.0", "gthread", (3, 6)),
        ("19.1.1", "gthread", (3, 6)),
        ("19.2.0", "gthread", (3, 9)),
        ("19.6.0", "gthread", (3, 9)),
        ("19.6.0", "sync", (3, 10)),
        ("19.8.1", "sync", (3, 11)),
        ("19.10.0", "gthread", (3, 9)),
        ("19.6.0", "gevent", (3, 6)),
        ("20.1.0", "eventlet", (3, 9)),
    ],
)
def test_newest_python(catalogue: Catalogue, release: str, worker: str, newest: Minor) -> None:
    assert catalogue.why_not(release, (3, 6), worker) is None
    assert catalogue.why_not(release, newest, worker) is None
    assert catalogue.why_not(release, (3, newest[1] + 1), worker) is not None


@pytest.mark.parametrize(
    ("release", "oldest"), [("21.2.0", (3, 6)), ("22.0.0", (3, 7)), ("23.0.0", (3, 7)), ("24.0.0", (3, 10))]
)
def test_oldest_python(catalogue: Catalogue, release: str, oldest: Minor) -> None:
    fitting = [(3, minor) for minor in range(6, 14) if catalogue.why_not(release, (3, minor), "gthread") is None]

    assert fitting[0] == oldest
    assert fitting[-1] == (3, 13)


def test_reason_names_what_is_gone(catalogue: Catalogue) -> None:
    assert "getargspec" in str(catalogue.why_not("19.6.0", (3, 11), "sync"))
    assert "collections.Mapping" in str(catalogue.why_not("19.6.0", (3, 10), "gthread"))


@pytest.mark.parametrize(
    ("release", "python", "expected"),
    [
        ("19.6.0", "3.6.15", ("bottle==0.12.13", "setuptools<80")),
        ("20.1.0", "3.9.18", ("bottle==0.12.13", "setuptools<80")),
        ("20.1.0", "3.10.13", ("bottle==0.13.4", "setuptools<80")),
        ("21.0.0", "3.13.0", ("bottle==0.13.4",)),
        (None, "3.6.15", ("bottle==0.12.13",)),
    ],
)
def test_pins(catalogue: Catalogue, release: str | None, python: str, expected: tuple[str, ...]) -> None:
    assert catalogue.requirements(release, python, "gthread") == expected


def test_pins_of_a_worker(catalogue: Catalogue) -> None:
    assert "eventlet==0.17.4" in catalogue.requirements("17.5", "3.6.15", "eventlet")
    assert "tornado==3.2.2" in catalogue.requirements("18.0", "3.6.15", "tornado")
    assert "eventlet==0.30.2" in catalogue.requirements("20.1.0", "3.6.15", "eventlet")
    assert {"gevent==26.9.0", "packaging"} <= set(catalogue.requirements("27.0.1", "3.10.13", "gevent"))
    assert not any("gevent" in pin for pin in catalogue.requirements("27.0.1", "3.10.13", "gthread"))


@pytest.mark.parametrize("release", [*(row.version for row in list_releases()), None])
@pytest.mark.parametrize("worker", WORKERS)
def test_pins_never_contradict_each_other(catalogue: Catalogue, release: str | None, worker: str) -> None:
    for python in ("3.6.15", "3.9.18", "3.10.13", "3.13.0"):
        names = [Requirement(pin).name for pin in catalogue.requirements(release, python, worker)]
        assert len(names) == len(set(names))
        assert "bottle" in names


@pytest.mark.parametrize(
    ("release", "shims"),
    [
        ("0.16.1", ("run-by-name",)),
        ("0.17.3", ("keep-leading-slash",)),
        ("0.17.4", ()),
        ("19.4.2", ("trust-log-files",)),
        ("19.6.0", ()),
        ("19.7.0", ("hide-so-reuseport",)),
        ("19.7.1", ("hide-so-reuseport",)),
        ("19.8.0", ()),
        ("27.0.1", ()),
        (None, ()),
    ],
)
def test_shims(catalogue: Catalogue, release: str | None, shims: tuple[str, ...]) -> None:
    assert catalogue.shims_for(release) == shims


@pytest.mark.parametrize(
    ("release", "worker", "there"),
    [
        ("18.0", "gthread", False),
        ("19.0.0", "gthread", True),
        ("18.0", "sync", True),
        ("19.3.0", "gevent", False),
        ("19.4.0", "gevent", True),
        ("25.3.0", "eventlet", True),
        ("26.0.0", "eventlet", False),
        ("23.0.0", "asgi", False),
        ("24.0.0", "asgi", True),
        ("0.16.0", "sync", False),
        ("0.16.1", "sync", True),
        ("0.17.0", "sync", False),
        ("18.0", "tornado", True),
        ("19.0.0", "tornado", False),
        ("19.4.0", "tornado", False),
        ("19.4.1", "tornado", True),
        (None, "gthread", True),
    ],
)
def test_workers_that_a_release_lacks(catalogue: Catalogue, release: str | None, worker: str, there: bool) -> None:
    assert (catalogue.why_no_worker(release, worker) is None) is there


def test_the_list_goes_by_date_which_is_not_the_order_of_the_numbers() -> None:
    rows = list_releases()
    versions = [row.version for row in rows]
    assert [row.date for row in rows] == sorted(row.date for row in rows)
    assert len(set(versions)) == len(versions) >= 55
    assert versions.index("20.0.0") < versions.index("19.10.0") < versions.index("20.0.2")
    assert versions[0] == "0.16.0"


def test_every_worker_of_every_release_runs_on_some_python_or_says_why_on_none(catalogue: Catalogue) -> None:
    stranded = [
        f"{row.version} {worker}"
        for row in list_releases()
        for worker in WORKERS
        if catalogue.why_no_worker(row.version, worker) is None
        and all(catalogue.why_not(row.version, (3, minor), worker) is not None for minor in range(6, 14))
    ]
    assert stranded == []


def test_every_shim_of_the_catalogue_is_one_that_can_be_applied(catalogue: Catalogue) -> None:
    needed_by_commits_alone = {"bind-itself"}
    assert {shim.name for shim in catalogue.shims} == set(SHIMS) - needed_by_commits_alone


def test_a_release_nobody_knows_runs_as_the_newest_do(catalogue: Catalogue) -> None:
    assert catalogue.why_not("99.0", (3, 9), "gthread") is not None
    assert catalogue.why_not("99.0", (3, 13), "gthread") is None
    assert catalogue.why_not(None, (3, 6), "gthread") is None


def test_every_row_gives_a_reason(catalogue: Catalogue) -> None:
    rows: list[PythonLimit | Pin | Shim | Gap] = [*catalogue.limits, *catalogue.pins]
    rows += [*catalogue.shims, *catalogue.gaps]

    assert len(rows) > 20
    assert all(len(row.reason) > 20 for row in rows)


def test_another_schema_is_refused() -> None:
    with pytest.raises(ValueError, match="schema 2"):
        parse_catalogue("schema = 2")


@pytest.mark.parametrize(
    ("text", "module"),
    [
        ("Traceback\nModuleNotFoundError: No module named 'pkg_resources'\n", "pkg_resources"),
        ("ImportError: No module named pkg_resources", "pkg_resources"),
        (
            "ModuleNotFoundError: No module named 'gunicorn.six.moves'; 'gunicorn.six' is not a package",
            "gunicorn.six.moves",
        ),
        ("ModuleNotFoundError: No module named 'a'\n\nModuleNotFoundError: No module named 'b'", "b"),
        ("ImportError: cannot import name 'Mapping' from 'collections'", None),
        ("", None),
    ],
)
def test_missing_module(text: str, module: str | None) -> None:
    assert missing_module(text) == module


@pytest.mark.parametrize(
    ("module", "python", "expected"),
    [
        ("imp", "3.12.1", True),
        ("imp", "3.11.7", False),
        ("cgi", "3.13.0", True),
        ("distutils.core", "3.12.0", True),
        ("urllib2", "3.6.15", True),
        ("pkg_resources", "3.13.0", False),
        ("cgit", "3.13.0", False),
    ],
)
def test_was_in_stdlib(module: str, python: str, expected: bool) -> None:
    assert was_in_stdlib(module, python) is expected


def test_a_python_between_two_releases_needs_what_the_earlier_one_needs() -> None:
    catalogue = load_catalogue()
    pins = catalogue.requirements("19.6.0", "3.15.0a1", "gthread")
    assert pins == catalogue.requirements("19.6.0", "3.15.0a1+", "gthread")
    assert set(catalogue.requirements("19.6.0", "3.9.0", "gthread")) & set(pins), "a pin for every Python"
    assert any(pin.startswith("legacy-cgi") for pin in pins)


def test_a_python_without_a_version_gets_what_every_python_gets() -> None:
    catalogue = load_catalogue()
    assert catalogue.requirements("19.6.0", "strange", "gthread") == ("setuptools<80",)
