"""The table of causes: it explains what the expectations say was seen, and nothing that they don't."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from packaging.version import Version

from harness.core.model import Cell, Json, Outcome
from harness.provision.releases import list_releases, load_catalogue
from harness.provision.specifiers import meets
from harness.report.known import bisects
from harness.report.known.bisects import KnownBisect, find_bisects, load_bisects
from harness.report.known.causes import UNKNOWN, explain, find_cause, load_causes, write_history
from harness.stack.workers import WORKERS
from harness.studies.matrix.expectations import load_expectations
from harness.studies.matrix.report import load_matrix

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
CAUSES = ROOT / "harness" / "report" / "known" / "causes.toml"
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


def test_every_upstream_number_that_a_cause_or_a_page_cites_has_its_title() -> None:
    """A number that nobody looked up may be about another matter: one that was cited for the ASGI worker was."""
    own = tomllib.loads(CAUSES.read_text(encoding="utf-8"))["titles"]
    titles = {int(number): str(title) for number, title in own.items()}
    for entry in EXPECTED.entries:
        titles |= zip(entry.expected.upstream, entry.expected.titles, strict=True)
    assert all(titles.values())
    assert [number for cause in load_causes() for number in cause.upstream if number not in titles] == []
    assert [number for number in own if not any(int(number) in cause.upstream for cause in load_causes())] == []
    for page in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")):
        text = " ".join(page.read_text(encoding="utf-8").replace("\\", "").split())
        for number in set(re.findall(r"benoitc/gunicorn/(?:issues|pull)/(\d+)", text)):
            said = re.search(rf"/{number}\)[ ,:]*(?P<title>\"[^\"]+\"|[A-Z\[a-z].*)", text)
            assert said is not None, f"{page.name}: #{number} has no title beside it"
            assert titles.get(int(number), "")[:30] in str(said["title"]), f"{page.name}: #{number}"


def test_where_a_cause_came_and_went_is_an_edge_that_a_table_claims() -> None:
    """A report says "introduced in 24.0.0" of it, which is a claim like any other."""
    tables = [load_matrix(ROOT / "docs" / "results" / f"{name}.json") for name in ("matrix", "proxies")]
    claimed = {
        (edge.worker, edge.finding, edge.introduced_in or "", edge.gone_in or "")
        for table in tables
        for edge in table.map.supported
    }
    for cause in load_causes():
        for end, came, went in (("introduced", cause.introduced, ""), ("gone", "", cause.gone)):
            told = {(worker, finding, came, went) for worker in cause.workers or WORKERS for finding in cause.findings}
            if came or went:
                assert bool(told & claimed) != (end in cause.sources), f"{cause.id}: {end}"
            assert ("source" in cause.tell(end)) == (end in cause.sources)
        assert set(cause.sources) <= {end for end in ("introduced", "gone") if getattr(cause, end)}


def test_a_cause_is_one_sentence_and_each_remedy_says_what_it_costs() -> None:
    for cause in load_causes():
        assert cause.sentence.endswith("."), cause.id
        assert len(cause.sentence) <= 130, f"{cause.id}: it has to fit into the first screen"
        assert all(remedy.change and remedy.cost for remedy in cause.helps)


@pytest.mark.parametrize(
    ("cell", "told"), [({"proxy": "h2o"}, True), ({"proxy": "nginx"}, False), ({"proxy": "h2o", "bind": "tcp"}, True)]
)
def test_what_a_run_had_already_is_no_help(cell: dict[str, Json], *, told: bool) -> None:
    of_cell = {"gunicorn": "23.0.0", "spec": "23.0.0", "worker": "gthread", "bind": "unix", **cell}
    (explanation,) = explain({"cell": of_cell, "findings": [{"id": "failed-responses"}]})
    assert explanation.cause is not None
    helps = {remedy.id for remedy in explanation.cause.helps}
    assert ("retry" in helps) is told
    assert {"newest", "sync"} <= helps
    assert not (cell.get("bind") == "tcp" and "tcp" in helps)


@pytest.mark.parametrize("limit", [0, 100, None])
def test_not_to_restart_is_no_help_where_workers_never_did(limit: int | None) -> None:
    of_cell: dict[str, Json] = {"gunicorn": "23.0.0", "spec": "23.0.0", "worker": "gthread", "bind": "unix"}
    of_cell |= {} if limit is None else {"max_requests": limit}
    (explanation,) = explain({"cell": of_cell, "findings": [{"id": "failed-responses"}]})
    assert explanation.cause is not None
    assert ("no-restarts" in {remedy.id for remedy in explanation.cause.helps}) is (limit != 0)


def test_where_a_finding_came_and_went_is_as_the_releases_of_the_rows_say() -> None:
    for cause in load_causes():
        for version, inside in ((cause.introduced, True), (cause.gone, False)):
            if version and cause.releases:
                others = [one for one in load_causes() if set(one.findings) & set(cause.findings)]
                covered = any(
                    meets(version, one.releases) and set(one.workers) & set(cause.workers or WORKERS) for one in others
                )
                assert meets(version, cause.releases) is inside or covered, f"{cause.id}: {version}"


def _verdict(release: str, *findings: str, worker: str = "gthread", spec: str | None = None) -> dict[str, object]:
    cell = {"spec": release if spec is None else spec, "gunicorn": release, "worker": worker, "bind": "unix"}
    return {"cell": cell, "findings": [{"id": finding} for finding in findings]}


def test_what_is_not_known_is_said_to_be_and_comes_last() -> None:
    known, unknown = explain(_verdict("19.6.0", "worker-crashed", "socket-deleted", "permanent-outage"))  # type: ignore[arg-type]
    assert known.findings == ("socket-deleted", "permanent-outage")
    assert known.cause is not None
    assert known.cause.introduced == "19.6.0"
    assert (unknown.findings, unknown.sentence) == (("worker-crashed",), UNKNOWN)


def test_a_checkout_is_not_said_to_be_the_release_that_it_is_based_on() -> None:
    (said,) = explain(_verdict("19.6.0", "socket-deleted", spec="./gunicorn"))  # type: ignore[arg-type]
    assert said.sentence.startswith("If this is as in the release 19.6.0: ")


def test_a_worker_class_of_another_package_is_not_explained_by_gunicorns() -> None:
    (said,) = explain(_verdict("23.0.0", "failed-responses", worker="uvicorn.workers.UvicornWorker"))  # type: ignore[arg-type]
    assert said.cause is None


def bisected(**more: str) -> KnownBisect:
    usual = {
        "finding": "socket-deleted",
        "worker": "gthread",
        "bind": "unix",
        "direction": "introduced",
        "commit": "0123456789abcdef",
        "subject": "a change",
        "before": "1.0",
        "after": "1.1",
        "proof": "proven",
    }
    return KnownBisect(**(usual | more))


def find(monkeypatch: pytest.MonkeyPatch, *known: KnownBisect, **more: str) -> list[KnownBisect]:
    monkeypatch.setattr(bisects, "load_bisects", lambda: known)
    usual = {"finding": "socket-deleted", "release": "1.1", "worker": "gthread", "bind": "unix"}
    return find_bisects(**(usual | more))


def test_a_stored_bisection_speaks_of_its_own_fault_only(monkeypatch: pytest.MonkeyPatch) -> None:
    came, went = bisected(), bisected(direction="repaired", before="1.3", after="1.4")
    assert find(monkeypatch, went, came) == [came]
    assert find(monkeypatch, came, went, release="1.3") == [went]
    assert find(monkeypatch, came, went, release="1.2") == [], "nothing is concluded for what lies between"
    assert find(monkeypatch, came, went, release="1.2", introduced="1.1", gone="1.4") == [came, went]
    for other in ({"finding": "failed-responses"}, {"worker": "sync"}, {"bind": "tcp"}):
        assert find(monkeypatch, came, went, **other) == []


def test_a_commit_takes_the_place_of_the_release() -> None:
    cause = find_cause("socket-deleted", release="19.6.0", worker="gthread", bind="unix")
    assert write_history(cause, []) == "introduced in 19.6.0, gone in 19.7.0"
    said = "introduced by commit 01234567, between 1.0 and 1.1, gone in 19.7.0"
    assert write_history(cause, [bisected()]) == said
    assert write_history(None, [bisected(proof="half proven")]) == (
        "introduced by commit 01234567 (half proven), between 1.0 and 1.1"
    )


def test_the_report_names_the_commits_of_the_original_bug() -> None:
    (said,) = explain(_verdict("19.6.0", "socket-deleted"))  # type: ignore[arg-type]
    assert "introduced by commit 418f1404, between 19.5.0 and 19.6.0" in said.history
    assert "repaired by commit 0be79968, between 19.6.0 and 19.7.0" in said.history


def test_stored_bisections_name_releases_and_commits() -> None:
    versions = {row.version for row in list_releases()}
    for one in load_bisects():
        assert {one.before, one.after} <= versions
        assert len(one.commit) == 40
        assert one.direction in ("introduced", "repaired")


def test_the_page_on_bisections_names_each_stored_one() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "bisect.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    for one in load_bisects():
        begins = f"| `{one.finding}` | {one.worker} | {one.direction} in {one.after} | {one.commit[:8]}, "
        assert [row for row in rows if row.startswith(begins) and row.endswith(f"| {one.proof} |")], begins
