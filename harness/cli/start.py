"""The first and the last thing that a command does: it listens to signals before anything large is imported.

As ``python -m harness.cli.start COMMAND`` it is make's way to the command line, see ``makevars``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from harness.core.signals import hear_signals, was_heard


def run() -> NoReturn:
    """The console script: run the command line, then end the process at once."""

    def command() -> int:
        from harness.cli.main import main

        return main()

    _run(command)


def run_for_make() -> NoReturn:
    """As ``run``, with the command on the command line and all else in make's variables."""

    def command() -> int:
        from harness.cli.makevars import main

        return main(sys.argv[1:])

    _run(command)


def _run(command: Callable[[], int]) -> NoReturn:
    hear_signals()
    from harness.core.startup import collect_seldom, end_at_once

    collect_seldom()
    from harness.core import errors
    from harness.core.streams import prepare_streams

    prepare_streams()
    try:
        code = command()
    except KeyboardInterrupt:
        code = errors.EXIT_INTERRUPTED
    with suppress(errors.HarnessError):  # the output of a command before it failed
        sys.stdout.flush()
    end_at_once(errors.EXIT_INTERRUPTED if was_heard() else code)  # it may have come since the command looked


if __name__ == "__main__":
    run_for_make()
