"""The pages and tables of the docs that follow from docs/results/: ``python -m maintenance.result_pages``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.studies.matrix.document import Matrix
from harness.studies.matrix.report import load_matrix
from harness.studies.matrix.report.as_markdown import render_markdown
from maintenance.findings import put_between

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = {"results.md": "matrix", "disturbance-results.md": "disturbances"}
"""Whole pages, and the file each is made of."""

BLOCK_PAGE = DOCS / "proxies.md"


def render_head(matrix: Matrix) -> str:
    """What was run, the answer, and the table, without the title above and the edges below."""
    _, _, text = render_markdown(matrix).partition("\n\n")
    return text.partition("\n## Where rates changed")[0]


def render_table(matrix: Matrix) -> str:
    """The table alone."""
    return render_head(matrix).partition("## The table\n\n")[2]


BLOCKS: dict[str, Callable[[Matrix], str]] = {"proxies": render_head, "direct": render_table}
"""What of a file stands in proxies.md, between marks that name it."""


def render_block_page(page: str) -> str:
    """proxies.md with its tables made anew; ValueError where a mark is missing."""
    for name, render in BLOCKS.items():
        begin, end = f"<!-- results/{name}.json -->\n", f"<!-- end of results/{name}.json -->\n"
        page = put_between(page, begin, end, f"\n{render(load_matrix(DOCS / 'results' / f'{name}.json')).strip()}\n\n")
    return page


def main() -> None:
    """Write the pages."""
    for page, name in PAGES.items():
        text = render_markdown(load_matrix(DOCS / "results" / f"{name}.json"))
        (DOCS / page).write_text(text, encoding="utf-8")
    BLOCK_PAGE.write_text(render_block_page(BLOCK_PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    for page in (*PAGES, BLOCK_PAGE.name):
        print(f"docs/{page}")


if __name__ == "__main__":
    main()
