"""What every page has around its body: its policy, its style and its scripts, all inside the one file.

No text that was recorded can bring a script in: the policy allows the scripts that are named here, by their
checksums, and nothing from anywhere else. What a page says belongs to ``as_html`` and ``matrix_as_html``.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.records.redaction import current_identity, make_scrubber
from harness.report.assets import allowed_source, read_asset
from harness.report.markup import esc

_NOTHING_ELSE = "img-src data:; base-uri 'none'; form-action 'none'"


def render_frame(title: str, body: str, *, styles: Sequence[str], scripts: Sequence[str]) -> str:
    """The whole page. ``title`` is plain text, ``body`` markup; styles and scripts are names of assets.

    Home folders and names of user and host are taken out of both, as from the attachment.
    """
    allowed = " ".join(map(allowed_source, scripts)) or "'none'"
    policy = f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; {_NOTHING_ELSE}"
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark"><meta name="referrer" content="no-referrer">',
            f"<title>{esc(_without_private_names(title))}</title>",
            f"<style>{''.join(map(read_asset, styles))}</style></head><body><main>",
            _without_private_names(body),
            "</main>",
            *(f"<script>{read_asset(script)}</script>" for script in scripts),
            "</body></html>\n",
        ]
    )


def _without_private_names(raw: str) -> str:
    scrub = make_scrubber(current_identity())
    return "".join(scrub(one.encode("utf-8", "replace")).decode() for one in raw.splitlines(keepends=True))
