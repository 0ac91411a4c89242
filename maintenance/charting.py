"""Re-makes the charting library and the checksums: ``python -m maintenance.charting``, with the extra ``pictures``."""

from __future__ import annotations

import base64
import hashlib
import json

from harness.report.assets import CHECKSUMS, FOLDER, LIBRARY


def bundle_library() -> str:
    """Vega, Vega-Lite and Vega-Embed in one script, as vl-convert holds them; the same text each time."""
    import vl_convert

    bundled: str = vl_convert.javascript_bundle()
    return bundled


def checksum(script: str) -> str:
    """As a Content-Security-Policy names it: the SHA-256 in base64."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def checksums() -> dict[str, str]:
    """Of every script that lies here."""
    return {path.name: checksum(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.js"))}


def main() -> None:
    """Write both files."""
    (FOLDER / LIBRARY).write_text(bundle_library(), encoding="utf-8")
    (FOLDER / CHECKSUMS).write_text(json.dumps(checksums(), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
