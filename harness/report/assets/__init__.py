"""The files that a page is made of: its style, its script, and the charting library, which travels with every report.

``vega.min.js`` is Vega, Vega-Lite and Vega-Embed as vl-convert bundles them (see NOTICE.md). It and ``checksums.json``
are made by ``python -m maintenance.charting`` (`make chart`); a test compares them with what vl-convert gives.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
LIBRARY = "vega.min.js"
CHECKSUMS = "checksums.json"


@cache
def read_asset(name: str) -> str:
    """The text of one of the files."""
    return (FOLDER / name).read_text(encoding="utf-8")


def allowed_source(script: str) -> str:
    """A script as the page's policy names it; stored, because the module that computes it takes 10 ms to import."""
    return f"'sha256-{json.loads(read_asset(CHECKSUMS))[script]}'"
