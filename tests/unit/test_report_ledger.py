"""What the reports say of the ledger: each line in words, and what must not be overlooked."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.report.as_html import render_html
from harness.report.as_markdown import render_markdown
from harness.report.as_terminal import render_terminal
from harness.report.ledger import WORDS, ledger_alarm, ledger_lines, ledger_sentence
from tests.unit.events import Record, healthy
from tests.unit.runs import write_run

COUNTS = {"requests": 1000, "answered": 990, "failed_after_gunicorn": 2, "under_way_at_end": 8, "unexplained": 0}
LOST = {"id": "w7", "client": "502", "proxy": "502", "gunicorn": None, "runs": 1, "workers": [4711]}
SAID = {
    "state": "closed",
    "counts": COUNTS,
    "by_client": {"load": {"answered": 990}},
    "examples": {"failed_after_gunicorn": [LOST], "under_way_at_end": [{"id": "w999", "client": "cut"}]},
    "witnesses": {"proxy": True, "gunicorn": True, "app": True},
}


def with_ledger(**changes: object) -> Record:
    return healthy().add(6.2, "ledger", **{**SAID, **changes})


def verdict_with(ledger: object) -> dict[str, object]:
    return {"counts": {"ledger": ledger}}


def test_every_fate_has_words() -> None:
    from harness.judge.ledger.endings import Ending

    assert list(WORDS) == [fate.value for fate in Ending]


def test_the_lines_name_examples_of_what_went_wrong() -> None:
    lines = dict(ledger_lines(verdict_with({**COUNTS, "examples": SAID["examples"]})))  # type: ignore[arg-type]
    assert lines["990"] == "answered"
    assert lines["2"].endswith("unsafe to retry): w7 (client 502, proxy 502, run by 4711)")
    assert lines["8"] == "under way when the load ended"


def test_accounts_that_add_up_are_said_so_and_by_whom() -> None:
    said = ledger_sentence(verdict_with({**COUNTS, "witnesses": SAID["witnesses"]}))  # type: ignore[arg-type]
    assert said == "Each of 1,000 requests is accounted for, by the accounts of client, proxy, gunicorn and app"
    assert ledger_alarm(verdict_with(COUNTS)) is None  # type: ignore[arg-type]


def test_without_a_ledger_nothing_is_said() -> None:
    assert ledger_lines({"counts": {}}) == []
    assert ledger_sentence({"counts": {}}) is None
    assert ledger_sentence({"counts": {"ledger": "nonsense"}}) is None


@pytest.mark.parametrize("form", ["terminal", "markdown", "html"])
def test_all_reports_tell_of_it(tmp_path: Path, form: str) -> None:
    shown = render(tmp_path, with_ledger(), form)
    assert "What became of each request" in shown
    assert "unsafe to retry" in shown
    assert "ADD UP" not in shown


@pytest.mark.parametrize("form", ["terminal", "markdown", "html"])
def test_a_remainder_is_said_loudly_and_early(tmp_path: Path, form: str) -> None:
    shown = render(tmp_path, with_ledger(counts={**COUNTS, "unexplained": 3}), form)
    assert "3 of 1,000 requests are unexplained" in " ".join(shown.split())
    assert shown.index("ADD UP") < shown.index("Counts")


def render(tmp_path: Path, record: Record, form: str) -> str:
    run = write_run(record, tmp_path / "run")
    if form == "terminal":
        return render_terminal(run, colour=False, width=100)
    return render_markdown(run) if form == "markdown" else render_html(run)
