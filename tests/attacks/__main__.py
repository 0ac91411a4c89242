"""`python -m tests.attacks`: attacks the harness and prints how many attempts of each kind it did not withstand.

Exit status: 0 where it withstood all, 1 where it did not or a kind could not be tried, 2 for wrong usage.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from tests.attacks import attachments, inputs, interrupts, pages, records, surroundings
from tests.attacks.attempt import Attempt
from tests.attacks.commands import DISTURBED

INTERRUPTS = 240
DISTURBED_INTERRUPTS = 50

ATTACKS: Mapping[str, tuple[str, Callable[..., Iterable[Attempt]]]] = {
    "interrupts": ("INT, TERM, HUP and bursts, at any moment of any command", partial(interrupts.attack, INTERRUPTS)),
    "disturbed": (
        "the same while masters are replaced, moved and killed",
        partial(interrupts.attack, DISTURBED_INTERRUPTS, commands=DISTURBED),
    ),
    "specs": ("values of SPEC", inputs.attack_specs),
    "options": ("values of options", inputs.attack_options),
    "stored": ("commands on what is no run", inputs.attack_stored),
    "records": ("damaged and hostile records, in each rendering", records.attack),
    "attachments": ("attachments made to do harm, in each rendering", attachments.attack),
    "pages": ("a script in each text of a record, in a real browser", pages.attack),
    "surroundings": ("full disk, read-only places, no temporary folder, an index that hangs", surroundings.attack),
}


IN_PARTS = ("interrupts", "disturbed")
"""The kinds that take minutes, so that somebody may want to make them a part at a time."""


def _parse_part(text: str) -> tuple[int, int]:
    number, of = map(int, text.split("/"))
    if not 1 <= number <= of:
        raise ValueError(text)
    return number, of


def main(arguments: Sequence[str]) -> int:
    """Make the attacks that were named, or all; print a line a failure and the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.attacks", description=main.__doc__)
    parser.add_argument("names", nargs="*", metavar="KIND", help=f"of {', '.join(ATTACKS)} [all]")
    parser.add_argument("--part", type=_parse_part, default=(1, 1), metavar="N/M", help="of the interrupts alone [all]")
    options = parser.parse_args([*arguments, *shlex.split(os.environ.get("ARGS", ""))])
    if set(options.names) - ATTACKS.keys():
        parser.error(f"the kinds are {', '.join(ATTACKS)}")
    rows = []
    for name in options.names or ATTACKS:
        what, attack = ATTACKS[name]
        attempts = list(map(show, attack(part=options.part) if name in IN_PARTS else attack()))
        rows.append((what, len(attempts), sum(bool(attempt.complaints) for attempt in attempts)))
    print(render_table(rows))
    return 1 if any(failed or not count for _, count, failed in rows) else 0


def show(attempt: Attempt) -> Attempt:
    """Print what is wrong with an attempt."""
    for complaint in attempt.complaints:
        print(f"FAILED {attempt.name}: {complaint}", file=sys.stderr, flush=True)
    return attempt


def render_table(rows: Sequence[tuple[str, int, int]]) -> str:
    """The table in Markdown."""
    head = ["| attack | attempts | not withstood |", "|---|---:|---:|"]
    return "\n".join([*head, *(f"| {what} | {count} | {failed} |" for what, count, failed in rows)])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
