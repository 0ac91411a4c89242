"""The published tables: the pages are the data's rendering, and both say what the expectations say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.core.cells import cell_from_json
from harness.core.model import Outcome
from harness.judge.blind_spots import list_unseen
from harness.provision.releases import list_releases, load_catalogue
from harness.report.known.bisects import load_bisects
from harness.studies.matrix.document import Matrix
from harness.studies.matrix.expectations import compare, load_expectations
from harness.studies.matrix.report import load_matrix
from harness.studies.matrix.report.as_markdown import render_markdown
from harness.studies.matrix.result import Agreement, combine_runs
from maintenance.result_pages import BLOCK_PAGE, render_block_page

DOCS = Path(__file__).resolve().parents[2] / "docs"


TABLES = ("matrix", "proxies", "direct")


@pytest.fixture(scope="module", params=TABLES)
def published(request: pytest.FixtureRequest) -> Matrix:
    return load_matrix(DOCS / "results" / f"{request.param}.json")


def test_the_page_is_made_of_the_data() -> None:
    matrix = load_matrix(DOCS / "results" / "matrix.json")
    assert (DOCS / "results.md").read_text() == render_markdown(matrix), "make it again: make known"


def test_the_page_of_the_proxies_shows_the_tables_of_its_data() -> None:
    page = BLOCK_PAGE.read_text()
    assert render_block_page(page) == page, "make it again: make known"
    rendered = render_markdown(load_matrix(DOCS / "results" / "proxies.json"))
    assert rendered.split("\n\n")[1] in page, "what was run, and when"
    assert rendered.partition("## The table\n\n")[2].partition("\n\n##")[0] in page
    assert "## Where rates changed" not in page


def test_every_release_is_there_with_the_worker_classes_of_old() -> None:
    matrix = load_matrix(DOCS / "results" / "matrix.json")
    wanted = {row.version for row in list_releases() if int(row.version.split(".")[0]) >= 19}
    for worker in ("gthread", "sync"):
        assert {cell.release for cell in matrix.cells if cell.worker == worker} == wanted


@pytest.mark.parametrize("name", ["proxies", "direct"])
def test_every_release_of_the_proxies_is_there_in_each_column(name: str) -> None:
    """Whatever releases, worker classes and proxies were chosen: a hole in the table would be a cell that got lost."""
    matrix = load_matrix(DOCS / "results" / f"{name}.json")
    seen = {(cell.release, cell.column) for cell in matrix.cells}
    columns = {column for _, column in seen}
    assert seen == {(release, column) for release, _ in seen for column in columns}
    assert {worker for worker, _, _ in columns} >= {"gthread", "sync"}
    assert {proxy for _, proxy, _ in columns} >= ({"none"} if name == "direct" else {"nginx", "haproxy", "caddy"})


def test_each_cell_was_run_as_often_as_is_said_and_is_what_its_runs_say(published: Matrix) -> None:
    assert published.repeats >= 2
    for cell in published.cells:
        assert len(cell.runs) >= published.repeats or cell.folded.outcome.value == "unrunnable", cell.name
        assert cell.folded == combine_runs(cell.runs, cell.blind), cell.name


def test_the_table_is_as_expected_today(published: Matrix) -> None:
    known = load_expectations()
    off = []
    for cell in published.cells:
        described = cell_from_json({"spec": cell.spec, **cell.cell}, where=cell.name)
        gap = load_catalogue().why_no_worker(cell.release, cell.worker)
        expected = known.expect(cell.release, described, gap=gap)
        if cell.folded.outcome is Outcome.INCONCLUSIVE and cell.blind:
            assert cell.agreement is Agreement.UNDECIDED, "these settings can't tell"
        elif compare(cell.runs, expected, cell.blind) is not Agreement.EXPECTED:
            off.append(cell.name)
    assert off == []


def test_a_profile_that_is_blind_to_a_finding_is_never_said_to_hold(published: Matrix) -> None:
    for cell in published.cells:
        # Where the profile is blind, the matrix takes one that is not; older tables kept to theirs.
        settings = cell_from_json({"spec": cell.spec, **cell.cell}, where=cell.name)
        assert cell.blind == list_unseen(settings), cell.name
        assert not cell.blind or cell.folded.outcome is not Outcome.HOLDS, cell.name


def test_no_path_of_a_machine_is_published(published: Matrix) -> None:
    paths = [run.path for cell in published.cells for run in cell.runs if run.path]
    assert paths
    assert not [path for path in paths if path.startswith("/") or ".." in path]


PAGES = (DOCS.parent / "README.md", *DOCS.rglob("*.md"))
"""The changelog is left out: it says what was true of an older table."""


def test_no_page_claims_an_edge_that_the_data_call_undecided(published: Matrix) -> None:
    """A claim of the form that the pages use, "introduced in 27.0.1", is claimed by a table, or was bisected."""
    supported = {(one.finding, one.after) for one in load_bisects() if one.proof == "proven"}
    for name in TABLES:
        edges = load_matrix(DOCS / "results" / f"{name}.json").map.supported
        supported |= {(edge.finding, edge.after.release) for edge in edges}
    undecided = {(edge.finding, edge.after.release) for edge in published.map.undecided} - supported
    wrong = [
        f"{page.name}: {line}"
        for page in PAGES
        for line in list_sentences(page.read_text())
        for finding, release in undecided
        if claims_edge(line, finding, release)
    ]
    assert wrong == []


def list_sentences(text: str) -> list[str]:
    """The rows of tables, and everything else paragraph by paragraph: a sentence may go over several lines."""
    lines = text.splitlines()
    prose = "\n".join("" if line.startswith("|") else line for line in lines)
    return [line for line in lines if line.startswith("|")] + [" ".join(one.split()) for one in prose.split("\n\n")]


def claims_edge(line: str, finding: str, release: str) -> bool:
    """Whether a row or a paragraph says that the finding began or ended, or changed its rate, in the release."""
    row = [cell.strip(" `") for cell in line.strip("| ").split("|")]
    of_map = len(row) > 3 and row[1] == finding and row[2].startswith(f"{release} ") and row[3] in CHANGES
    of_list = len(row) > 2 and row[0] == finding and row[2] in {f"{verb} in {release}" for verb in VERBS.split("|")}
    number = rf"(?<![\d.]){re.escape(release)}(?![.\d]*\d)"
    forward = rf"{finding}\b((?!\. )[^|])*?\b({VERBS})\b((?!\. )[^|]){{0,40}}?{number}"
    backward = rf"{number} ({ACTS})\b((?!\. )[^|]){{0,40}}?{finding}"
    return of_map or of_list or re.search(f"{forward}|{backward}", line) is not None


CHANGES = {"introduced", "gone", "more often", "less often"}
ACTS = "brings|brought|introduces|introduced|breaks|repairs|repaired|fixes|fixed|ends"
VERBS = "came|began|introduced|broke|appeared|gone|went|ended|repaired|fixed|since"


def test_a_claim_would_be_found() -> None:
    assert claims_edge(
        "| asgi, h2o | failed-responses | 27.0.1 (2026-11-12) | introduced | x |", "failed-responses", "27.0.1"
    )
    assert claims_edge("failed-responses was introduced in 27.0.1.", "failed-responses", "27.0.1")
    assert claims_edge("failed-responses gone in 27.0.0, introduced in 27.0.1", "failed-responses", "27.0.0")
    assert not claims_edge(
        "| asgi, h2o | failed-responses | 27.0.1 (x) | more often? | x |", "failed-responses", "27.0.1"
    )
    assert not claims_edge("failed-responses was introduced in 27.0.10", "failed-responses", "27.0.1")
    assert claims_edge("| `failed-responses` | gthread | introduced in 27.0.1 | x |", "failed-responses", "27.0.1")
    assert claims_edge("27.0.1 repairs `failed-responses`", "failed-responses", "27.0.1")
    assert not claims_edge("127.0.1 repairs `failed-responses`", "failed-responses", "27.0.1")
    assert not claims_edge("failed-responses is gone. What came in 27.0.1 is", "failed-responses", "27.0.1")
    assert list_sentences("a\nb. c\n| x |\n\nd") == ["| x |", "a b. c", "d"]
