"""The pages say what is there: links lead somewhere, commands parse, make has the targets, the index has every page."""

from __future__ import annotations

import ast
import io
import re
import shlex
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path

import pytest

from harness.cli.main import make_parser

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")] + sorted(
    (ROOT / "docs").rglob("*.md")
)
BY_NAME = {path.relative_to(ROOT).as_posix(): path for path in PAGES}

_LINK = re.compile(r"\[[^\]]*\]\((?!https?://)([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.*)$", re.MULTILINE)
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_CALL = re.compile(r"(?:^|(?<=`))(?:\S*/|uvx |pipx run )?(?:recycle-)?harness (?P<arguments>[^`\n]+)", re.MULTILINE)
_MAKE = re.compile(r"(?:^|(?<=`))make (?P<target>[a-z-]+)", re.MULTILINE)
_OPEN = re.compile(r"\b(COMMAND|NAME)\b|\.\.\.|[\[\]{}<>|]| \\$|\$\(")
"""A line that leaves something out, or is one of several, is no command to run."""

_UNFINISHED = re.compile(r"the following arguments are required|expected (at least )?one argument")


@cache
def anchors(path: Path) -> frozenset[str]:
    """As GitHub makes them: small letters, blanks to dashes, punctuation gone."""
    headings = _HEADING.findall(_FENCE.sub("", path.read_text()))
    return frozenset(re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-") for title in headings)


@pytest.mark.parametrize("page", BY_NAME)
def test_every_link_leads_somewhere(page: str) -> None:
    path = BY_NAME[page]
    wrong = []
    for link in _LINK.findall(_FENCE.sub("", path.read_text())):
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            wrong.append(link)
    assert wrong == []


def list_commands(path: Path) -> Iterator[tuple[str, bool]]:
    """Commands of ours, and whether each is whole: a line of code; what stands in a sentence may leave out its ends."""
    text = path.read_text()
    code = [line[4:] for line in text.splitlines() if line.startswith("    ")]
    code += [line for block in _FENCE.findall(text) for line in block.splitlines()]
    named = [f"`{inline}`" for inline in re.findall(r"`([^`\n]+)`", _FENCE.sub("", text))]
    for line, whole in [*((line, True) for line in code), *((line, False) for line in named)]:
        for call in _CALL.finditer(line):
            if not _OPEN.search(call["arguments"]):
                yield call["arguments"], whole


def complain(arguments: str) -> str | None:
    """What the parser says against a command; None where it takes it."""
    said = io.StringIO()
    try:
        with redirect_stderr(said), redirect_stdout(io.StringIO()):
            make_parser().parse_args(shlex.split(arguments, comments=True))
    except SystemExit as ended:
        return said.getvalue().splitlines()[-1] if ended.code else None
    return None


@pytest.mark.parametrize("page", [name for name in BY_NAME if name != "CHANGELOG.md"])
def test_every_command_is_one_that_the_parser_takes(page: str) -> None:
    found = [(arguments, complain(arguments), whole) for arguments, whole in list_commands(BY_NAME[page])]
    wrong = [(arguments, said) for arguments, said, whole in found if said and (whole or not _UNFINISHED.search(said))]
    assert wrong == []


def test_commands_are_found_in_all_forms(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    lines = [
        "    harness judge RUN",
        "See `harness clean --all`, `harness X ...`.",
        "```",
        "uvx recycle-harness doctor",
        "```",
    ]
    page.write_text("\n".join([*lines, ""]))
    assert list(list_commands(page)) == [("judge RUN", True), ("doctor", True), ("clean --all", False)]
    assert complain("reproduce 19.6.0 --workr sync") is not None


@pytest.mark.parametrize("page", BY_NAME)
def test_every_target_of_make_is_there(page: str) -> None:
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = BY_NAME[page].read_text()
    code = [line[4:] for line in text.splitlines() if line.startswith("    ")]
    code += [f"`{inline}`" for inline in re.findall(r"`([^`\n]+)`", text)]
    assert {found for line in code for found in _MAKE.findall(line)} - known == set()


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    missing = [path.name for path in PAGES if path.parent.name == "docs" and f"({path.name}" not in index]
    assert [name for name in missing if name != "README.md"] == []


def list_texts() -> Iterator[str]:
    """What our code can print: its string constants, those of an f-string put together."""
    for path in (ROOT / "harness").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                yield "\0".join(str(part.value) if isinstance(part, ast.Constant) else "" for part in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def test_troubleshooting_quotes_messages_that_exist() -> None:
    """`...`, `n`, `m` and a proxy's name stand for what differs from run to run."""
    texts = "\n".join(list_texts())
    rows = [line.split("|")[1] for line in BY_NAME["docs/troubleshooting.md"].read_text().splitlines() if "|" in line]
    messages = [message for row in rows for message in re.findall(r"`([^`]+)`", row)]
    quoted = [part.strip() for message in messages for part in re.split(r"\.\.\.|\b[nm]\b|\bof\b|h2o", message)]
    assert len(messages) > 20
    assert [part for part in quoted if part not in texts] == []
