"""`harness report` of a stored matrix, whose page is more than one file."""

from __future__ import annotations

import argparse
import sys

from harness.core import errors
from harness.core.text import printable


def report_matrix(options: argparse.Namespace) -> int:
    """One format to standard output, several, and the page always, as files.

    Raises:
        UsageError: a matrix has no such format.
    """
    from harness.records.store import RunFolder
    from harness.studies.matrix.campaign.site import publish
    from harness.studies.matrix.document import FILE
    from harness.studies.matrix.report import FILES, FORMATS, load_matrix

    unknown = [name for name in options.format if name not in FORMATS]
    if unknown:
        raise errors.UsageError(
            what=f"A matrix has no format {', '.join(unknown)}.", remedy=f"Its formats are {', '.join(FORMATS)}."
        )
    stored = load_matrix(options.run)
    if len(options.format) == 1 and options.out is None and "html" not in options.format:
        print_rendered(FORMATS[options.format[0]](stored))
        return errors.EXIT_OK
    source = options.run if options.run.is_dir() else options.run.parent
    target = options.out or source
    target.mkdir(parents=True, exist_ok=True)
    for name in options.format:
        if name == "html":  # more than one file: the page, and the pages that it links
            print(publish(stored, [source], target, say=lambda text: print(text, file=sys.stderr)))
        else:
            print(printable(str(RunFolder(path=target).write_text(FILES.get(name, FILE), FORMATS[name](stored)))))
    return errors.EXIT_OK


def print_rendered(rendered: str | bytes) -> None:
    """Print in UTF-8, whatever the terminal's encoding, because this output is meant to be redirected."""
    sys.stdout.flush()
    sys.stdout.buffer.write(rendered.encode("utf-8", "backslashreplace") if isinstance(rendered, str) else rendered)
