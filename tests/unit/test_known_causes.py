"""The table of causes: it explains what the expectations say was seen, and nothing that they don't."""

from __future__ import annotations

import pytest
from packaging.version import Version

from harness.core.model import Cell, Outcome
from harness.provision.releases import list_releases, load_catalogue
from harness.report.known.causes import UNKNOWN, explain, find_cause, load_causes
from harness.stack.workers import WORKERS
from harness.studies.matrix.expectations import load_expectations

EXPECTED = load_expectations(None)
CELLS = [
    Cell(spec=row.version, gunicorn=row.version, worker=worker)
    for row in list_releases()
    for worker in WORKERS
    if Version(row.version) >= Version("19.0")
]


@pytest.mark.parametrize("worker", list(WORKERS))
def test_all_that_is_expected_of_a_release_has_a_cause_and_nothing_else_has(worker: str) -> None:
    for cell in (one for one in CELLS if one.worker == worker):
        expected = EXPECTED.expect(cell.spec, cell, gap=load_catalogue().why_no_worker(cell.spec, worker))
        for finding in expected.findings:
            cause = find_cause(finding, release=cell.spec, worker=worker, bind="unix")
            assert cause is not None, f"{cell.spec} {worker}: {finding}"
            if expected.upstream and cause.upstream:
                assert set(cause.upstream) & set(expected.upstream), f"{cell.spec} {worker}: {finding}: {cause.id}"
        if expected.outcome is Outcome.HOLDS and not expected.sometimes:
            for finding in ("failed-responses", "socket-deleted", "permanent-outage", "workers-not-respawned"):
                assert find_cause(finding, release=cell.spec, worker=worker, bind="unix") is None, f"{cell}: {finding}"


def test_a_cause_is_one_sentence_and_each_remedy_says_what_it_costs() -> None:
    for cause in load_causes():
        assert cause.sentence.endswith("."), cause.id
        assert len(cause.sentence) <= 130, f"{cause.id}: it has to fit into the first screen"
        assert all(remedy.change and remedy.cost for remedy in cause.helps)


def test_where_a_finding_came_and_went_is_as_the_releases_of_the_rows_say() -> None:
    for cause in load_causes():
        for version, inside in ((cause.introduced, True), (cause.gone, False)):
            if version and str(cause.releases):
                others = [one for one in load_causes() if set(one.findings) & set(cause.findings)]
                covered = any(
                    one.releases.contains(version) and set(one.workers) & set(cause.workers or WORKERS)
                    for one in others
                )
                assert cause.releases.contains(version) is inside or covered, f"{cause.id}: {version}"


def _verdict(release: str, *findings: str, worker: str = "gthread", spec: str | None = None) -> dict[str, object]:
    cell = {"spec": release if spec is None else spec, "gunicorn": release, "worker": worker, "bind": "unix"}
    return {"cell": cell, "findings": [{"id": finding} for finding in findings]}


def test_what_is_not_known_is_said_to_be_and_comes_last() -> None:
    known, unknown = explain(_verdict("19.6.0", "worker-crashed", "socket-deleted", "permanent-outage"))  # type: ignore[arg-type]
    assert known.findings == ("socket-deleted", "permanent-outage")
    assert known.cause is not None
    assert known.cause.history == "introduced in 19.6.0, gone in 19.7.0"
    assert (unknown.findings, unknown.sentence) == (("worker-crashed",), UNKNOWN)


def test_a_checkout_is_not_said_to_be_the_release_that_it_is_based_on() -> None:
    (said,) = explain(_verdict("19.6.0", "socket-deleted", spec="./gunicorn"))  # type: ignore[arg-type]
    assert said.sentence.startswith("If this is as in the release 19.6.0: ")


def test_a_worker_class_of_another_package_is_not_explained_by_gunicorns() -> None:
    (said,) = explain(_verdict("23.0.0", "failed-responses", worker="uvicorn.workers.UvicornWorker"))  # type: ignore[arg-type]
    assert said.cause is None
