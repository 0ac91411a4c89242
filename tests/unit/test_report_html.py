from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.errors import SurroundingsError
from harness.core.model import Cell, Outcome, Verdict
from harness.records.stored import StoredRun
from harness.report import assets
from harness.report.as_html import render_html
from harness.report.escaping import html_block, html_line, html_script
from harness.report.picture import picture_spec, render_svg
from maintenance import charting as making
from tests.unit.events import healthy
from tests.unit.pages import HOSTILE, Page
from tests.unit.runs import bursts, deleted, write_run

RecordRun = Callable[..., StoredRun]


def data_of(page: Page, name: str) -> Any:  # noqa: ANN401 - whatever the block holds
    ids = [attrs.get("id") for tag, attrs in page.tags if tag == "script"]
    return json.loads(page.scripts[ids.index(name)])


def titles(text: str) -> list[str]:
    return re.findall(r"<h2 id[^>]*>(.*?)</h2>", text)


def test_the_page_says_all_that_it_should(tmp_path: Path) -> None:
    page = render_html(write_run(deleted(), tmp_path / "run"))
    assert titles(page) == [
        "Timeline",
        "Who did it",
        "Counts",
        "Logs around the event",
        "Configuration",
        "Environment",
        "How to repeat this",
    ]
    text = Page(page).text
    for part in (
        "socket file deleted 3.00 s after the load began",
        "worker 101 called os.unlink",
        "gunicorn/sock.py:123 close",
        "harness reproduce 1.0 --threads 2 --workers 2",
        "Autorestarting worker",
        "workers = 2",
    ):
        assert part in text, part
    assert '<mark><span class="no">123</span>        os.unlink(self.cfg_addr)</mark>' in page
    assert '<mark><span class="no">2</span>[2026-01-01' in page
    assert len(page) < 2_000_000


def test_the_first_failure_can_be_zoomed_to_where_there_is_one(tmp_path: Path) -> None:
    assert data_of(Page(render_html(write_run(bursts(), tmp_path / "bursts"))), "range")["focus"] == 1.0
    calm = render_html(write_run(healthy(), tmp_path / "calm"))
    assert data_of(Page(calm), "range")["focus"] is None
    assert 'data-do="focus"' not in calm


def test_the_policy_allows_the_scripts_that_are_there_and_no_network(tmp_path: Path) -> None:
    text = render_html(write_run(deleted(), tmp_path / "run"))
    page = Page(text)
    policy = next(attrs["content"] or "" for tag, attrs in page.tags if attrs.get("http-equiv"))
    run = [script for script in page.scripts if not script.startswith("{")]
    assert [f"'sha256-{making.checksum(script)}'" in policy for script in run] == [True, True]
    assert "default-src 'none'" in policy
    assert "unsafe-eval" not in policy
    assert not any(name in attrs for _, attrs in page.tags for name in ("src", "action"))
    assert all((attrs.get("href") or "#").startswith("#") for _, attrs in page.tags)


def test_the_stored_checksums_and_the_library_are_current() -> None:
    stored = json.loads(assets.read_asset(assets.CHECKSUMS))
    assert stored == making.checksums(), "run `make chart`"
    pytest.importorskip("vl_convert", reason="the extra `pictures` is not installed")
    assert assets.read_asset(assets.LIBRARY) == making.bundle_library(), "run `make chart`"


def test_a_record_brings_no_script_and_no_element_into_the_page(tmp_path: Path) -> None:
    usual = Page(render_html(write_run(deleted(), tmp_path / "usual")))
    record = deleted().log(4.0, 103, "crashed", HOSTILE).probe(4.1, "proxy", HOSTILE).answers(4.2, **{HOSTILE: 3})
    story = [{"at_s": 1.0, "what": HOSTILE}]
    edit = {"story": story, "verdict": HOSTILE, "counts": {HOSTILE: HOSTILE}, "reasons": [HOSTILE]}
    facts = {"deviations": [HOSTILE], "gunicorn": {"command": [HOSTILE], "freeze": [HOSTILE], "version": HOSTILE}}
    run = write_run(record, tmp_path / "run", log=f"[1] [ERROR] {HOSTILE}\n", edit=edit, facts=facts)
    (run.path / "config" / "<b onclick=alert(5)>.py").write_text(HOSTILE)
    text = render_html(run)
    page = Page(text)
    assert page.count("script") == usual.count("script") == 4
    assert page.count("img") == page.count("b") == 0
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
    assert html.unescape("&lt;/script&gt;&lt;script&gt;alert(1)") in page.text
    assert data_of(page, "chart")["vconcat"][0]["data"]["values"][0]["what"].startswith("</script><script>alert(1)")


@given(st.text(), st.text())
def test_text_stays_text(raw: str, name: str) -> None:
    assert not set("<>\"'") & set(html_line(raw))
    assert not set("<>\"'") & set(html_block(raw))
    inner = html_script(json.dumps({name: raw}))
    assert not set("<>&\u2028\u2029") & set(inner)
    assert json.loads(inner) == {name: raw}


@pytest.mark.parametrize("spoilt", ['{"at_ns": 5, "kind": "probe"}', "no json", '{"at_ns": 1e999, "kind": "x"}'])
def test_a_broken_record_gets_a_page_that_says_so(tmp_path: Path, spoilt: str) -> None:
    run = write_run(deleted(), tmp_path / "run")
    with (run.path / "events.jsonl").open("a") as stream:
        stream.write(spoilt + "\n")
    text = render_html(run)
    assert "It can&#x27;t be drawn: " in text.replace("can't", "can&#x27;t")
    assert "Who did it" in text
    assert Page(text).count("script") == 0


def test_events_with_wrong_fields_are_told_too(tmp_path: Path) -> None:
    run = write_run(healthy(), tmp_path / "run")
    with (run.path / "events.jsonl").open("a") as stream:
        stream.write('{"at_ns": 1000000000001, "kind": "answers", "outcomes": {"200": "many"}}\n')
    assert "outcomes of answers must be an object" in render_html(run)


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_verdict_gets_a_page(record_run: RecordRun, outcome: Outcome) -> None:
    error = {"type": "X", "what": "h2o is missing", "remedy": "install it", "log": None}
    verdict = Verdict(cell=Cell(spec="19.6.0"), outcome=outcome, reasons=("why",), error=error)
    text = render_html(record_run(verdict=verdict, logs={}, config={}))
    assert f"</span> {outcome.value}</span>" in text
    assert ("install it" in text) is (outcome not in (Outcome.HOLDS, Outcome.VIOLATED))


def test_private_names_do_not_reach_the_page(record_run: RecordRun) -> None:
    text = render_html(record_run(logs={"gunicorn.error.log": f"Traceback in {Path.home()}/app.py\n"}))
    assert "~/app.py" in text
    assert f"{Path.home()}/app.py" not in text


def test_the_picture_needs_no_page_around_it(tmp_path: Path) -> None:
    spec = picture_spec(write_run(deleted(), tmp_path / "run"))
    assert "socket file deleted" in spec["title"]["text"]
    assert spec["background"] == "white"
    assert len(spec["vconcat"]) == 5


def test_the_picture_is_drawn_without_a_browser(tmp_path: Path) -> None:
    pytest.importorskip("vl_convert", reason="the extra `pictures` is not installed")
    run = write_run(deleted(), tmp_path / "run")
    drawn = render_svg(run)
    assert drawn == render_svg(run)
    assert drawn.startswith("<svg")
    assert "deleted by worker 101 with os.unlink" in drawn
    assert "currentColor" not in drawn
    assert drawn.count('aria-label="worker 1') == 4


def test_a_missing_converter_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "vl_convert", None)
    with pytest.raises(SurroundingsError, match="vl-convert-python is not installed"):
        render_svg(write_run(deleted(), tmp_path / "run"))
