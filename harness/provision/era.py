"""Era shims: small files, loaded before gunicorn, that put back what Python has removed since a release's time.

A shim is a row of ``releases.toml`` (its name, the Pythons that it is for, what its users' source looks like) and a
file below ``fixtures/era`` (which asks the interpreter whether the thing is missing, and puts it back). It is applied
only where the installed source uses it and the interpreter lacks it. The limits of the catalogue say which release may
run with it, and on which Python.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.core.digests import sha256
from harness.core.paths import fixtures_dir
from harness.core.patterns import pattern
from harness.provision.releases import EraShim

LOADER = "sitecustomize.py"
PROBE = """
import json, sys
answers = []
for path in sys.argv[1:]:
    names = {"__name__": "recycle_harness_era", "__file__": path}
    try:
        with open(path, encoding="utf-8") as source:
            exec(compile(source.read(), path, "exec"), names)
        answers.append(bool(names["missing"]()))
    except ImportError:
        answers.append(False)
print(json.dumps(answers))
"""
"""Prints for each shim's file whether what it puts back is missing; False where the module that it patches is missing
too, because then nothing can be put back."""

_NOT_SCANNED = pattern(r"/(?:setuptools|pkg_resources|_distutils_hack|pip|tests?)/|\.dist-info/")


def shim_file(name: str) -> Path:
    """The file of a shim."""
    return fixtures_dir() / "era" / f"{name.replace('-', '_')}.py"


def identify(shims: Sequence[EraShim]) -> list[str]:
    """What identifies a choice of shims, for the key of an environment: names, rows and files. Empty for none."""
    files = [fixtures_dir() / "era" / LOADER] if shims else []
    digests = [sha256(path.read_bytes()).hexdigest() for path in files]
    for shim in shims:
        row = f"{shim.name} {shim.uses}".encode()
        digests.append(sha256(row + shim_file(shim.name).read_bytes()).hexdigest())
    return digests


def find_used(shims: Sequence[EraShim], site: Path) -> tuple[EraShim, ...]:
    """The shims whose feature the source installed in ``site`` uses."""
    left, used = list(shims), []
    for text in _sources(site) if shims else ():
        found = [shim for shim in left if re.search(shim.uses, text, re.MULTILINE)]
        used += found
        left = [shim for shim in left if shim not in found]
        if not left:
            break
    return tuple(shim for shim in shims if shim in used)


def parse_missing(shims: Sequence[EraShim], said: str) -> tuple[str, ...]:
    """The names of the shims whose feature an interpreter lacks, from what PROBE printed for their files.

    Raises:
        ValueError: the output is not PROBE's.
    """
    answers = json.loads(said)
    return tuple(shim.name for shim, missing in zip(shims, answers, strict=True) if missing)


def plant(names: Sequence[str], folder: Path) -> None:
    """Make the folder that puts these shims back wherever it stands on PYTHONPATH."""
    folder.mkdir()
    for path in (fixtures_dir() / "era" / LOADER, *map(shim_file, names)):
        shutil.copyfile(path, folder / path.name)


def _sources(site: Path) -> Iterator[str]:
    for path in sorted(site.rglob("*.py")):
        if not _NOT_SCANNED.search(path.relative_to(site.parent).as_posix()):
            yield path.read_text(encoding="utf-8", errors="replace")
