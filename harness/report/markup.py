"""HTML out of text: whatever was recorded becomes text of the page, never a part of its markup or its scripts."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Sequence

from harness.report.fields import clean, line

_IN_SCRIPT = str.maketrans({sign: f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"})


def esc(raw: str) -> str:
    """One line of text, also inside a quoted attribute."""
    return html.escape(line(raw))


def block(raw: str) -> str:
    """Text of several lines, its spaces kept."""
    return html.escape(clean(raw))


def data_block(name: str, data: object) -> str:
    """A JSON block that a script reads and no browser runs; nothing in it can end the element."""
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    safe = text.translate(_IN_SCRIPT)
    return f'<script type="application/json" id="{name}">{safe}</script>'


def section(name: str, title: str, content: Iterable[str]) -> str:
    """A part of the page that the table of contents can name; empty where there is nothing to show."""
    inner = "\n".join(content)
    head = f'<h2 id="{name}-title">{esc(title)}</h2>'
    return f'<section id="{name}" aria-labelledby="{name}-title">{head}\n{inner}\n</section>'


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, bad: Iterable[int] = ()) -> str:
    """A table of texts; ``bad`` are the numbers of rows that stand out."""
    marked = set(bad)
    top = "".join(f'<th scope="col">{esc(cell)}</th>' for cell in head)
    body = "\n".join(
        f"<tr{' class=bad' if at in marked else ''}>" + "".join(f"<td>{esc(cell)}</td>" for cell in row) + "</tr>"
        for at, row in enumerate(rows)
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>\n{body}\n</tbody></table>"


def numbered(lines: Iterable[tuple[int, str, bool]]) -> str:
    """Lines of a file or log with their numbers; the marked ones stand out, for a screen reader too."""
    shown = []
    for number, text, marked in lines:
        inner = f'<span class="no">{number}</span>{block(text).replace(chr(10), " ")}'
        shown.append(f"<mark>{inner}</mark>" if marked else f'<span class="line">{inner}</span>')
    return f'<pre tabindex="0">{"".join(shown)}</pre>'


def bullets(lines: Iterable[str], *, empty: str = "None.") -> str:
    """A list of texts."""
    shown = "".join(f"<li>{esc(one)}</li>" for one in lines)
    return f"<ul>{shown}</ul>" if shown else f"<p>{esc(empty)}</p>"


def folded(title: str, content: str) -> str:
    """Content that is shown on demand."""
    return f"<details><summary>{esc(title)}</summary>\n{content}\n</details>"
