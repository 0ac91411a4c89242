"""``make site``: build/site/index.html, which any static host serves, or a browser opens from the disk."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from maintenance.site.pages import EXTRA, write_pages

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
OUT = ROOT / "build" / "site"
RECORDS = ROOT / "tests" / "records"


def build(out: Path, records: Sequence[Path]) -> int:
    """Make the site anew in ``out``; the exit code of Sphinx, for which a warning is an error."""
    from sphinx.cmd.build import build_main  # type: ignore[import-not-found, unused-ignore] # comes with `make site`

    with tempfile.TemporaryDirectory(prefix="site-") as folder:
        source = Path(folder)
        write_pages(source, records)
        shutil.rmtree(out, ignore_errors=True)
        options = ["-b", "html", "-q", "-W", "--keep-going", "-c", str(HERE), "-d", str(source / ".doctrees")]
        code = int(build_main([*options, str(source), str(out)]))
        shutil.copytree(source / EXTRA, out, dirs_exist_ok=True)
        return code


def main() -> int:
    """Parse the options, which come in ARGS from make."""
    parser = argparse.ArgumentParser(prog="python -m maintenance.site", description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT, help="the folder of the site, which is made anew")
    parser.add_argument(
        "--records",
        type=Path,
        action="append",
        metavar="FOLDER",
        help="a folder with attachments, runs, or a matrix, whose pages are wanted; by default tests/records",
    )
    options = parser.parse_args(sys.argv[1:] or shlex.split(os.environ.get("ARGS", "")))
    code = build(options.out, options.records or [RECORDS])
    if not code:
        print(f"{options.out / 'index.html'}")
    return code


if __name__ == "__main__":
    sys.exit(main())
