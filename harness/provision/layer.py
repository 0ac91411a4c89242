"""A commit's gunicorn on top of a release's environment: neighbouring commits differ in nothing else.

A layer is a virtual environment whose site-packages hold one package, and in which Python looks into those of the
release below for everything else. It is made in a tenth of the time that an installation takes.
"""

from __future__ import annotations

import ast
from pathlib import Path

from harness.core.patterns import pattern
from harness.provision import installer
from harness.provision.releases import Catalogue
from harness.provision.sources import Source
from harness.provision.specifiers import as_version

BELOW = "recycle_harness_below.pth"
_BELOW = "import site; site.addsitedir({folder!r})\n"
_FOLDER = pattern(r"addsitedir\((.+)\)")


def choose_base(catalogue: Catalogue, version: str | None) -> str | None:
    """The release on whose environment a commit that declares ``version`` is put: the newest up to it; else None."""
    declared = as_version(version)
    if declared is None:
        return None
    numbered = [(as_version(row.version), row.version) for row in catalogue.released]
    known = [(number, version) for number, version in numbered if number is not None and number <= declared]
    return max(known)[1] if known else None


def site_of(environment: Path) -> Path:
    """The site-packages of an environment."""
    return next(environment.glob("lib/*/site-packages"))


def list_folders(environment: Path) -> list[Path]:
    """All folders from which an environment imports packages: its own, and for a layer those of the release below."""
    told = [file.read_text(encoding="utf-8") for file in environment.glob(f"lib/*/site-packages/{BELOW}")]
    return [environment, *(Path(ast.literal_eval(found[1])) for text in told if (found := _FOLDER.search(text)))]


def put_on(source: Source, base: Path, folder: Path) -> None:
    """Make an environment in ``folder``: the source's package, and below it what the environment ``base`` holds."""
    below = site_of(base)
    site = folder / below.relative_to(base)
    installer.create_venv(folder, base=(base / "bin" / "python").resolve())
    site.mkdir(parents=True)
    if source.stage_package is not None:
        source.stage_package(site / "gunicorn")
    (site / BELOW).write_text(_BELOW.format(folder=str(below)), encoding="utf-8")
    version = source.version or "0"
    described = site / f"gunicorn-{version}.dist-info"
    described.mkdir()
    (described / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: gunicorn\nVersion: {version}\n", encoding="utf-8"
    )
