"""`make audit`: whether advisories are known for what the project's own environments hold, by pip-audit.

Where no advisory database can be reached, or it knows none of the packages, it says so and ends well: nothing was found
out then.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import EXIT_OK, EXIT_UNEXPECTED

LOCKS = sorted(Path(__file__).parents[1].glob("requirements/*.txt"))
AUDIT_TIMEOUT_S = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """How many packages the database knew, and a line for each advisory."""

    audited: int
    advisories: tuple[str, ...]


def parse_audit(text: str) -> Audit | None:
    """What pip-audit printed as JSON; None where it printed none, because it failed."""
    try:
        packages = json.loads(text)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return None
    known = [package for package in packages if "skip_reason" not in package]
    told = (
        f"{package['name']} {package['version']}: {advisory['id']}, mended in {', '.join(advisory['fix_versions'])}"
        for package in known
        for advisory in package.get("vulns", ())
    )
    return Audit(audited=len(known), advisories=tuple(told))


def conclude(audit: Audit | None, said: str) -> tuple[int, str]:
    """The exit status, and what is printed; ``said`` is what pip-audit wrote as errors."""
    if audit is None or not audit.audited:
        lines = said.strip().splitlines()
        why = lines[-1][:200] if audit is None and lines else "it knows none of the packages"
        return EXIT_OK, f"audit: skipped, no advisory database can be reached: {why}"
    if audit.advisories:
        return EXIT_UNEXPECTED, "\n".join(audit.advisories)
    return EXIT_OK, f"audit: no advisory is known for {audit.audited} packages"


def main(arguments: Sequence[str]) -> int:
    """Run pip-audit, whose Python is named first, over all locks."""
    files = [word for lock in LOCKS for word in ("--requirement", str(lock))]
    command = [arguments[0], "-m", "pip_audit", "--disable-pip", "--require-hashes", "--format", "json"]
    done = subprocess.run(
        [*command, "--progress-spinner", "off", *files],
        capture_output=True,
        text=True,
        check=False,
        timeout=AUDIT_TIMEOUT_S,
    )
    status, told = conclude(parse_audit(done.stdout), done.stderr)
    print(told)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
