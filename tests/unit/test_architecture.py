"""The order of the rooms: who may import whom, and what is imported only where it is used."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

from harness.backends import BACKENDS
from harness.stack.proxies import PROXIES

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "harness"

ORDER = (
    "core",
    "provision",
    "stack",
    "watch",
    "disturb",
    "judge",
    "records",
    "report",
    "backends",
    "engine",
    "studies",
    "pytest_plugin",
    "cli",
)
"""Ground floor first: a package imports only from those before it."""

HEAVY = {"docker", "httpx", "jinja2", "markupsafe", "numpy", "rich", "scipy", "uv"}
"""Costs tens of milliseconds to import: only inside the functions that use it."""

PYTEST_ONLY = {"_pytest", "pytest", "xprocess"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One import: the module that is named, whether it happens whenever the importing file is loaded, and where."""

    target: str
    at_load: bool
    where: str


@cache
def module_files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def room_of(path: Path) -> str:
    """The room of a file: its top-level module or package; "" for the package's own ``__init__``."""
    first = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return "" if first == "__init__" else first


@cache
def imports_of(path: Path) -> list[Import]:
    """Every import of a file, wherever it stands; relative ones made absolute."""
    tree = parse(path)
    package = [PACKAGE.name, *path.relative_to(PACKAGE).parent.parts]
    return [
        Import(target=target, at_load=at_load, where=f"{path.relative_to(ROOT)}:{line}")
        for node, at_load in walk(tree, at_load=True)
        for target, line in targets(node, package)
    ]


def walk(node: ast.AST, *, at_load: bool) -> Iterator[tuple[ast.AST, bool]]:
    """All nodes below ``node``, with whether they run when the file is loaded: not in functions or for types only."""
    for child in ast.iter_child_nodes(node):
        inner = at_load and not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        inner = inner and not (isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"))
        yield child, inner
        yield from walk(child, at_load=inner)


def targets(node: ast.AST, package: list[str]) -> list[tuple[str, int]]:
    if isinstance(node, ast.Import):
        return [(alias.name, node.lineno) for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        start = package[: len(package) + 1 - node.level] if node.level else []
        module = ".".join([*start, *([node.module] if node.module else [])])
        # ``from harness import tools`` names a module, ``from harness.core.errors import X`` does not.
        return [(f"{module}.{alias.name}", node.lineno) for alias in node.names]
    return []


def rooms_imported(path: Path) -> list[tuple[str, Import]]:
    """The rooms of ours that a file imports from, with the import."""
    found = []
    for imported in imports_of(path):
        parts = imported.target.split(".")
        if parts[0] == PACKAGE.name and len(parts) > 1 and is_room(parts[1]):
            found.append((parts[1], imported))
    return found


def is_room(name: str) -> bool:
    return (PACKAGE / f"{name}.py").is_file() or (PACKAGE / name).is_dir()


def test_every_package_has_its_place_in_the_order() -> None:
    rooms = {room_of(path) for path in module_files()} - {""}
    assert rooms - {"__main__"} <= set(ORDER), "say in ORDER where these belong"
    assert {path.name for path in PACKAGE.glob("*.py")} == {"__init__.py", "__main__.py"}


@pytest.mark.parametrize("package", ORDER)
def test_a_package_imports_only_from_those_before_it(package: str) -> None:
    below = {*ORDER[: ORDER.index(package)], package}
    wrong = [
        f"{imported.where} imports from {room}"
        for path in module_files()
        if room_of(path) == package
        for room, imported in rooms_imported(path)
        if room not in below
    ]
    assert wrong == []


def test_no_two_classes_have_one_name() -> None:
    places: dict[str, list[str]] = {}
    for path in module_files():
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(str(path.relative_to(ROOT)))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_no_module_is_over_300_lines() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in module_files()}
    assert {name: length for name, length in lengths.items() if length > 300} == {}


def test_modules_form_no_cycle_not_even_inside_a_package() -> None:
    graph = {dotted_name(path): set(module_edges(path)) for path in module_files()}
    assert find_cycle(graph) is None


def dotted_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def module_names() -> set[str]:
    return {dotted_name(path) for path in module_files()}


def module_edges(path: Path) -> Iterator[str]:
    """The modules of ours that loading ``path`` loads; what a function imports later can't make a cycle."""
    known = module_names()
    for imported in imports_of(path):
        parts = imported.target.split(".")
        names = [".".join(parts[:size]) for size in range(len(parts), 0, -1)]
        named = next((name for name in names if name in known), None)
        if imported.at_load and named not in (None, PACKAGE.name, dotted_name(path)):
            assert named is not None
            yield named


def find_cycle(graph: dict[str, set[str]]) -> list[str] | None:
    """The modules of one cycle, or None."""
    done: set[str] = set()

    def visit(name: str, trail: list[str]) -> list[str] | None:
        if name in trail:
            return trail[trail.index(name) :]
        if name in done:
            return None
        for following in sorted(graph.get(name, set())):
            if cycle := visit(following, [*trail, name]):
                return cycle
        done.add(name)
        return None

    return next((cycle for name in sorted(graph) if (cycle := visit(name, []))), None)


def test_a_cycle_would_be_found() -> None:
    assert find_cycle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c"]
    assert find_cycle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) is None


def test_only_the_plugin_knows_pytest() -> None:
    wrong = [
        imported.where
        for path in module_files()
        for imported in imports_of(path)
        if imported.target.split(".")[0] in PYTEST_ONLY and room_of(path) != "pytest_plugin"
    ]
    assert wrong == []


def test_heavy_modules_are_imported_only_where_they_are_used() -> None:
    wrong = [
        f"{imported.where}: {imported.target}"
        for path in module_files()
        for imported in imports_of(path)
        if imported.at_load and imported.target.split(".")[0] in HEAVY
    ]
    assert wrong == []


@pytest.mark.parametrize("module", ["reaper_start", "reaper", "procfs", "patterns"])
def test_what_the_reaper_runs_needs_no_site_packages(module: str) -> None:
    targets = {imported.target for imported in imports_of(PACKAGE / "core" / f"{module}.py")}
    others = {target for target in targets if target.split(".")[0] not in sys.stdlib_module_names}
    assert others <= {"harness.core.reaper", "harness.core.procfs", "harness.core.patterns.pattern"}


@pytest.mark.parametrize(
    ("names", "home"),
    [(set(BACKENDS), "backends"), (set(PROXIES) - {"none"}, "stack/proxies")],
    ids=["back ends", "proxies"],
)
def test_nobody_outside_asks_for_a_row_of_a_table_by_its_name(names: set[str], home: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}: {comparison}"
        for path in module_files()
        if PACKAGE / home not in path.parents
        for comparison in comparisons_with(names, parse(path))
    ]
    assert wrong == []


def comparisons_with(names: set[str], code: ast.Module) -> list[str]:
    """The comparisons in which one of these texts stands."""
    compared = [node for node in ast.walk(code) if isinstance(node, ast.Compare)]
    return [ast.unparse(node) for node in compared if names & {ast.unparse(one).strip("'") for one in ast.walk(node)}]


def test_a_question_for_a_name_would_be_found() -> None:
    assert comparisons_with({"docker"}, ast.parse("if cell.backend == 'docker': pass")) == ["cell.backend == 'docker'"]
    assert comparisons_with({"docker"}, ast.parse("if backend in ('local', 'docker'): pass")) != []
    assert comparisons_with({"docker"}, ast.parse("name = 'docker'")) == []


PROCESS_MODULES = {"multiprocessing", "pexpect", "subprocess"}
"""What a process is started with; the fixture ``no_processes`` sees those that our own code starts for a test."""


def test_unit_tests_start_no_process() -> None:
    wrong = [
        f"{path.name}: {target}"
        for path in sorted((ROOT / "tests" / "unit").glob("*.py"))
        for node, _ in walk(ast.parse(path.read_text(encoding="utf-8")), at_load=True)
        for target, _ in targets(node, [])
        if target.split(".")[0] in PROCESS_MODULES
    ]
    assert wrong == []


def test_a_unit_test_that_has_a_process_started_fails() -> None:
    for start in (lambda: os.system("true"), os.fork, lambda: import_module("subprocess").Popen(["true"])):  # noqa: S605,S607
        with pytest.raises(AssertionError, match="a unit test starts a process"):
            start()


def test_fixtures_know_nothing_of_the_harness() -> None:
    """By their text, not their syntax: some are written for Python 2."""
    fixtures = sorted((ROOT / "fixtures").rglob("*.py"))
    wrong = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in fixtures
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.split()[:1] in (["import"], ["from"]) and line.split()[1].split(".")[0] == PACKAGE.name
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("import httpx", [("httpx", True)]),
        ("def f():\n    import httpx", [("httpx", False)]),
        ("if TYPE_CHECKING:\n    import httpx", [("httpx", False)]),
        ("class A:\n    import httpx", [("httpx", True)]),
        ("try:\n    from rich import table\nexcept ImportError:\n    pass", [("rich.table", True)]),
    ],
)
def test_the_time_of_an_import_is_told_right(line: str, expected: list[tuple[str, bool]]) -> None:
    found = [
        (target, at_load) for node, at_load in walk(ast.parse(line), at_load=True) for target, _ in targets(node, [])
    ]
    assert found == expected
