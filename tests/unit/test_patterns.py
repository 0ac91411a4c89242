"""Expressions that are compiled late do what those of the standard library do, and each of the harness's is right."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import harness
from harness.core.patterns import pattern

ROOT = Path(harness.__file__).parent


def list_users() -> list[str]:
    """The modules that define such expressions."""
    files = sorted(path for path in ROOT.rglob("*.py") if "import pattern\n" in path.read_text())
    return [".".join(("harness", *path.relative_to(ROOT).with_suffix("").parts)) for path in files]


def find_patterns(value: object) -> Iterator[Any]:
    """Those in a module's value, which may be a table of them."""
    if type(value) is pattern:
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from find_patterns(item)
    elif isinstance(value, dict):
        yield from find_patterns(list(value.values()))


def count_calls(module: ModuleType) -> int:
    """How many expressions the module's source defines."""
    tree = ast.parse(Path(str(module.__file__)).read_text())
    return sum(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "pattern"
        for node in ast.walk(tree)
    )


@pytest.mark.parametrize("name", list_users())
def test_every_expression_can_be_compiled(name: str) -> None:
    module = importlib.import_module(name.removesuffix(".__init__"))
    found = [one for value in vars(module).values() for one in find_patterns(value)]
    assert len(found) >= count_calls(module) > 0  # some come from another module
    assert all(isinstance(re.compile(one.pattern, one.flags), re.Pattern) for one in found)


def test_it_is_used_as_the_original() -> None:
    words, same = pattern(r"(?P<word>[a-z]+)", re.IGNORECASE), re.compile(r"(?P<word>[a-z]+)", re.IGNORECASE)
    text = "One two"
    assert words.sub(r"<\g<word>>", text) == same.sub(r"<\g<word>>", text) == "<One> <two>"
    assert words.findall(text) == same.findall(text)
    assert (words.groupindex, words.flags, words.pattern) == (same.groupindex, same.flags, same.pattern)
    assert words.fullmatch(text) is None
    assert words.match is words.match, "it is not looked up again"


def test_a_wrong_one_is_noticed_when_it_is_used() -> None:
    wrong = pattern("(")
    with pytest.raises(re.error):
        wrong.search("")
