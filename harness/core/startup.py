"""Three measures that make a command start and end sooner, each with its measured gain.

``frozen``, ``patterns``, ``digests`` and ``provision.specifiers`` have further ones. Another is that modules are
imported only by what uses them. With all imports at the top, the run of ``make bench ARGS=floor`` takes 26 % longer,
``harness --version`` five times as long; a test names what a run does without until gunicorn boots.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import threading
from typing import NoReturn

MOST_YOUNG = 100_000
"""So many objects that may be part of a cycle are made before the garbage collector looks for cycles again.

The shortest run makes half as many; with the threshold at that half, a look of 24 ms came just before the verdict.
"""


def collect_seldom() -> None:
    """Look for cycles of dead objects less often than after every 700 objects: imports make many, and none is dead.

    The imports of a run take a quarter less time so (98 instead of 127 ms, medians of six).
    """
    gc.set_threshold(MOST_YOUNG)


AHEAD = (
    "h11",
    "concurrent.futures.thread",
    "harness.engine.ledger",
    "harness.engine.conclusion",
    "harness.report.as_html",
    "harness.report.as_markdown",
    "harness.report.as_script",
    "harness.report.as_short",
    "jinja2",
)
"""What a run needs soon and takes a tenth of a second to import."""


def import_ahead() -> None:
    """Import in a thread what is needed soon, while gunicorn boots, which takes longer.

    Without it the bench's floor run takes 7 to 11 % longer (medians of 30 and 14 interleaved pairs on a busy machine).
    """
    threading.Thread(target=_import_all, name="import-ahead", daemon=True).start()


def _import_all() -> None:
    with contextlib.suppress(ImportError):  # the code that needs the module raises the same error
        for name in AHEAD:
            importlib.import_module(name)


def end_at_once(code: int) -> NoReturn:
    """End the process without Python's usual clean-up of all modules: a command has closed what it opened.

    The usual end takes another 0.08 s of CPU time after a run's imports (0.43 instead of 0.36 s, medians of 12 pairs).
    """
    os._exit(code)
