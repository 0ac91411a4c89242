"""What the templates promise: a value becomes text of the format unless a filter makes it, and no name is guessed."""

from __future__ import annotations

import html
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError

from harness.report import templates
from harness.report.fields import clean, line
from harness.report.templates import ESCAPES, FOLDER, environment, render
from tests.unit.pages import HOSTILE

TEMPLATES = sorted(path.name for path in FOLDER.glob("*.j2"))


def printed(form: str, template: str, **values: object) -> str:
    return environment(form).from_string(template).render(values)


@pytest.fixture
def fresh_environments(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A folder with a copy of the templates, and nothing loaded before."""
    for name in TEMPLATES:
        (tmp_path / name).write_bytes((FOLDER / name).read_bytes())
    monkeypatch.setattr(templates, "FOLDER", tmp_path)
    environment.cache_clear()
    yield tmp_path
    environment.cache_clear()


@given(st.text())
def test_what_a_page_prints_is_one_line_of_text(raw: str) -> None:
    shown = printed("html", "{{ raw }}", raw=raw)
    assert not set("<>\"'\n") & set(shown)
    assert html.unescape(shown) == line(raw)


@given(st.text())
def test_what_a_script_prints_is_one_word(raw: str) -> None:
    assert shlex.split(printed("sh", "{{ raw }}", raw=raw)) == [clean(raw)]
    assert "\n" not in printed("sh", "{{ raw|comment }}", raw=raw)
    assert re.fullmatch(r"[\w.+-]*", printed("sh", "{{ raw|label }}", raw=raw))


@pytest.mark.parametrize("form", list(ESCAPES))
def test_every_way_of_printing_escapes_once(form: str) -> None:
    escaped = ESCAPES[form](HOSTILE)
    macro = "{% macro show(it) %}{{ it }}{% endmacro %}"
    for template in ("{{ raw }}", "{{ raw|trim }}", "{{ [raw]|join }}", "{{ raw ~ '' }}", macro + "{{ show(raw) }}"):
        assert printed(form, template, raw=HOSTILE) == escaped, template
    assert printed(form, "{% set it %}{{ raw }}{% endset %}{{ it }}", raw=HOSTILE) == escaped


@pytest.mark.parametrize("form", list(ESCAPES))
def test_a_name_that_nobody_gave_is_an_error(form: str) -> None:
    with pytest.raises(UndefinedError):
        printed(form, "{{ nobody }}")


@pytest.mark.parametrize("name", TEMPLATES)
def test_no_template_prints_what_was_not_escaped(name: str) -> None:
    text = (FOLDER / name).read_text(encoding="utf-8")
    assert not re.search(r"\|\s*safe|autoescape|Markup", text)
    environment(name.split(".")[-2]).get_template(name)


def test_compiled_templates_are_kept_where_they_can_be(
    fresh_environments: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    first = render("frame.html.j2", title="t", styles=[], scripts=[])
    kept = fresh_environments / "__pycache__"
    assert not kept.exists()
    kept.mkdir()
    environment.cache_clear()
    assert render("frame.html.j2", title="t", styles=[], scripts=[]) == first
    assert [path.suffix for path in kept.iterdir()] == [".j2c"]
    environment.cache_clear()
    assert render("frame.html.j2", title="t", styles=[], scripts=[]) == first
