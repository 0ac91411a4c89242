"""Draws the packages of ``harness/`` and who imports whom, as docs/images/architecture.svg: ``make structure``.

An arrow that follows from two others is left out. A test compares the picture with the code.
"""

from __future__ import annotations

import ast
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "images" / "architecture.svg"

BOX_WIDTH, BOX_HEIGHT, GAP_X, GAP_Y, MARGIN = 250, 62, 36, 44, 20
CHARS_PER_LINE = 31
STYLE = """\
text{font:13px system-ui,sans-serif;fill:#1c2733}.name{font-weight:600;font-size:15px}
.box{fill:#eef4fa;stroke:#5b7fa3}.arrow{stroke:#7d8a97;fill:none;marker-end:url(#tip)}
@media (prefers-color-scheme:dark){text{fill:#e6edf3}.box{fill:#1d2a38;stroke:#6d94bb}.arrow{stroke:#8b98a5}}"""


def read_imports(package: Path) -> dict[str, set[str]]:
    """For each package below ``package`` the others that it imports from, lazily or not."""
    names = {path.parent.name for path in package.glob("*/__init__.py")}
    imports: dict[str, set[str]] = {name: set() for name in names}
    for path in package.rglob("*.py"):
        owner = path.relative_to(package).parts[0]
        if owner in names:
            imports[owner] |= {name for name in _imported(path, package.name) if name in names - {owner}}
    return imports


def _imported(path: Path, root: str) -> set[str]:
    modules = [
        f"{node.module}.{alias.name}".split(".")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module is not None
        for alias in node.names
    ]
    return {parts[1] for parts in modules if parts[0] == root}


def reduce_imports(imports: dict[str, set[str]]) -> dict[str, set[str]]:
    """The arrows that don't follow from others (the transitive reduction of an acyclic graph)."""
    return {
        name: {below for below in found if not any(below in _reach(imports, other) for other in found - {below})}
        for name, found in imports.items()
    }


def _reach(imports: dict[str, set[str]], start: str) -> set[str]:
    reached: set[str] = set()
    for name in imports[start]:
        reached |= {name} | _reach(imports, name)
    return reached


def place_boxes(imports: dict[str, set[str]]) -> dict[str, tuple[int, int]]:
    """(column, level) of each package; level 0 is the ground floor, and imports lead to lower levels only."""
    levels: dict[str, int] = {}

    def level(name: str) -> int:
        if name not in levels:
            levels[name] = max((level(below) + 1 for below in imports[name]), default=0)
        return levels[name]

    rows: dict[int, list[str]] = {}
    for name in sorted(imports):
        rows.setdefault(level(name), []).append(name)
    return {name: (column, floor) for floor, row in rows.items() for column, name in enumerate(row)}


def render_picture(package: Path) -> str:
    """The picture as SVG."""
    imports = read_imports(package)
    boxes, arrows = place_boxes(imports), reduce_imports(imports)
    columns, floors = (1 + max(place[axis] for place in boxes.values()) for axis in (0, 1))
    width = 2 * MARGIN + columns * BOX_WIDTH + (columns - 1) * GAP_X
    height = 2 * MARGIN + floors * BOX_HEIGHT + (floors - 1) * GAP_Y
    corners = {name: _corner(place, boxes, columns, floors) for name, place in boxes.items()}
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        "<title>The packages of harness/, and which imports from which</title>",
        f"<style>{STYLE}</style>",
        (
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
            '<path d="M0 0 8 4 0 8z" fill="#7d8a97"/></marker></defs>'
        ),
    ]
    lines += [_render_arrow(corners[name], corners[below]) for name in sorted(arrows) for below in sorted(arrows[name])]
    lines += [_render_box(name, corners[name], _summary(package / name)) for name in sorted(boxes)]
    return "\n".join([*lines, "</svg>", ""])


def _corner(
    place: tuple[int, int], boxes: dict[str, tuple[int, int]], columns: int, floors: int
) -> tuple[float, float]:
    """The upper left corner; the boxes of a level are centred."""
    column, floor = place
    beside = sum(other == floor for _, other in boxes.values())
    indent = (columns - beside) * (BOX_WIDTH + GAP_X) / 2
    return MARGIN + indent + column * (BOX_WIDTH + GAP_X), MARGIN + (floors - 1 - floor) * (BOX_HEIGHT + GAP_Y)


def _summary(package: Path) -> tuple[str, str]:
    """The first sentence of the package's docstring, in two lines at the most."""
    said = ast.get_docstring(ast.parse((package / "__init__.py").read_text(encoding="utf-8"))) or ""
    words = said.split("\n\n")[0].split(". ")[0].split(":")[0].rstrip(".").split()
    first = ""
    while words and len(first) + len(words[0]) < CHARS_PER_LINE:
        first = f"{first} {words.pop(0)}".strip()
    second = " ".join(words)
    return first, second if len(second) <= CHARS_PER_LINE else second[: CHARS_PER_LINE - 1] + "…"


def _render_box(name: str, corner: tuple[float, float], summary: tuple[str, str]) -> str:
    x, y = corner
    said = "".join(
        f'<text x="{x + 10:g}" y="{y + 37 + 16 * at:g}">{escape(line)}</text>'
        for at, line in enumerate(summary)
        if line
    )
    return (
        f'<rect class="box" x="{x:g}" y="{y:g}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="6"/>'
        f'<text class="name" x="{x + 10:g}" y="{y + 19:g}">{escape(name)}</text>{said}'
    )


def _render_arrow(start: tuple[float, float], end: tuple[float, float]) -> str:
    """One that passes a level keeps to the side, so that it doesn't seem to start at the box that it passes."""
    aside = BOX_WIDTH * 0.4 if end[1] - start[1] > BOX_HEIGHT + GAP_Y else 0
    x1, y1 = start[0] + BOX_WIDTH / 2 + aside, start[1] + BOX_HEIGHT
    x2, y2 = end[0] + BOX_WIDTH / 2 + aside, end[1]
    bend = (y2 - y1) / 2
    return f'<path class="arrow" d="M{x1:g} {y1:g} C{x1:g} {y1 + bend:g} {x2:g} {y2 - bend:g} {x2:g} {y2:g}"/>'


if __name__ == "__main__":
    PICTURE.write_text(render_picture(ROOT / "harness"), encoding="utf-8")
