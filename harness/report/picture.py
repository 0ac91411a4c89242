"""The timeline as a picture, SVG or PNG, without a browser: for Markdown reports and the README.

Needs vl-convert, the extra ``pictures``: it brings a JavaScript engine of 80 MB, which no run should have to install.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from harness.core.errors import SurroundingsError, UsageError
from harness.records.stored import StoredRun
from harness.report import summary
from harness.report.chart_parts import INK, Spec
from harness.report.drawing import draw
from harness.report.fields import text

if TYPE_CHECKING:
    from types import ModuleType

VEGA_LITE = "6.4"
"""The release of Vega-Lite whose language the specification speaks; the page's library is of the same one."""

PNG_SCALE = 2.0


def render_svg(stored: StoredRun) -> str:
    """The picture as SVG text.

    Raises:
        UsageError: the run has no verdict or no events.
        SurroundingsError: vl-convert is not installed.
    """
    converted: str = _converter().vegalite_to_svg(_dark_on_white(stored), vl_version=VEGA_LITE)
    return _renumbered(converted) + "\n"


def render_png(stored: StoredRun) -> bytes:
    """The picture as PNG, two pixels a point; errors as ``render_svg``."""
    converted: bytes = _converter().vegalite_to_png(_dark_on_white(stored), vl_version=VEGA_LITE, scale=PNG_SCALE)
    return converted


def _renumbered(drawn: str) -> str:
    """The ids of clips and gradients counted from 0: the converter counts on from one picture to the next."""
    numbers: dict[str, int] = {}
    return re.sub(
        r"(?<=[\"#])(clip|gradient)_?(\d+)(?=[\")])",
        lambda found: f"{found[1]}{numbers.setdefault(found[0], len(numbers))}",
        drawn,
    )


def _dark_on_white(stored: StoredRun) -> str:
    """The page's ink is that of the text around it, light or dark; a picture stands alone, on white."""
    return json.dumps(picture_spec(stored)).replace(INK, "#1f2328")


def picture_spec(stored: StoredRun) -> Spec:
    """The chart with the verdict as its heading, on white: a picture stands without the page around it."""
    verdict = stored.judged()
    chart = draw(stored.cell, stored.events())
    if chart is None:
        raise UsageError(
            what=f"There is nothing to draw of the scenario {stored.cell.scenario}.", remedy="Use another format."
        )
    said, answer = f"{summary.subject(verdict)}: {text(verdict, 'verdict')}", summary.answer_of(verdict).sentence
    heading: dict[str, Any] = {
        "text": [said, answer] if summary.is_scenario(verdict) else f"{said}; {answer}",
        "subtitle": summary.setting(verdict),
        "fontSize": 15,
        "subtitleFontSize": 11,
        "offset": 10,
        "frame": "bounds",
    }
    return chart.spec | {"background": "white", "padding": 10, "title": heading}


def _converter() -> ModuleType:
    try:
        import vl_convert
    except ImportError as problem:
        raise SurroundingsError(
            what="A picture can't be drawn without a browser: the package vl-convert-python is not installed.",
            remedy="Install the extra (make pictures; pip install 'recycle-harness[pictures]'), or open report.html.",
        ) from problem
    module: ModuleType = vl_convert
    return module
