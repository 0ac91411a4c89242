"""Makes ``hashes.toml`` from the index: the digests of every file of each release, and of what is pinned beside."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from harness.core.errors import SurroundingsError
from harness.provision import installer
from harness.provision.hashes import SCHEMA
from harness.provision.releases import Catalogue

_DIGEST = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_EXACT = re.compile(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+")
_HEAD = f"""\
# SHA-256 of all files of every release in releases.toml, and of the versions that are pinned there, from the index.
# `python -m maintenance.catalogue --hashes` makes this file; a file that is recorded never changes.

schema = {SCHEMA}

[files]
"""


def list_wanted(catalogue: Catalogue) -> tuple[str, ...]:
    """``name==version`` of all releases, and of the pins that are exact."""
    pins = sorted({pin.requirement for pin in catalogue.pins if _EXACT.fullmatch(pin.requirement)})
    return (*(f"gunicorn=={row.version}" for row in catalogue.released), *pins)


def collect(wanted: Sequence[str], known: Mapping[str, tuple[str, ...]], say: Callable[[str], None], cwd: Path) -> str:
    """The text of ``hashes.toml``; the index is asked for what is not ``known``. SurroundingsError."""
    lines = []
    for requirement in wanted:
        digests = known.get(requirement) or look_up(requirement, cwd)
        say(f"{requirement}: {len(digests)} files")
        lines.append(f'"{requirement}" = [' + "".join(f'\n  "{digest}",' for digest in digests) + "\n]\n")
    return _HEAD + "".join(lines)


def look_up(requirement: str, cwd: Path) -> tuple[str, ...]:
    """The digests of all files of one version, sorted. SurroundingsError where the index tells none."""
    output = ["--quiet", "--no-deps", "--no-header", "--no-annotate", "--generate-hashes"]
    target = ["--python", sys.executable, "--python-version", "3.99"]
    done = installer.run_uv(["pip", "compile", *output, *target, "-"], cwd, stdin=f"{requirement}\n")
    digests = tuple(sorted(set(_DIGEST.findall(done.stdout))))
    if done.status != 0 or not digests:
        raise installer.complain(done, f"the files of {requirement} can't be listed", SurroundingsError)
    return digests
