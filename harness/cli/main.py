"""The command line: parses, calls the command, and turns every failure into one clear message and an exit code."""

from __future__ import annotations

import argparse
import errno
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from harness import __version__
from harness.cli import commands
from harness.cli.completion import COMMANDS, SHELLS
from harness.core import errors
from harness.core.cell_fields import CELL_FIELDS
from harness.core.patterns import pattern
from harness.core.signals import check, hear_signals, was_heard
from harness.core.text import printable
from harness.engine.options import add_detail_options, add_run_options
from harness.stack.programs import DEFAULTS, RECIPES

BUG = "harness: this is a failure of the harness itself and says nothing about gunicorn; report it, with these lines"
UNUSABLE = (errno.ENAMETOOLONG, errno.ELOOP)
"""No system could have a file of such a name: whoever named it meant something else."""
OTHER_FLAGS = ("--settings", "--with-requirements", "--with", "--profile", "--python", "--out", "--json", "--expect")
"""Options of a run that are no fields of its cell."""

FORMATS = ("md", "html", "json", "junit", "svg", "png")


def main(argv: list[str] | None = None) -> int:
    """Run one command and write its output; return its exit code, which after a signal is EXIT_INTERRUPTED."""
    hear_signals()
    options = make_parser().parse_args(argv)
    try:
        check()
        code: int = options.command(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("harness: interrupted; nothing is left running.", file=sys.stderr)
        code = errors.EXIT_INTERRUPTED
    except Exception as problem:  # noqa: BLE001 - Python's own exit code is 1, which would say "violated"
        code = _explain(problem)
        if options.skips and code != errors.EXIT_USAGE:  # it reached no verdict
            code = errors.EXIT_CHECK_SKIP
    return errors.EXIT_INTERRUPTED if was_heard() else code


def _explain(problem: Exception) -> int:
    """Print what went wrong; the exit code."""
    if isinstance(problem, errors.HarnessError):
        for said in (f"harness: {problem}", *getattr(problem, "__notes__", ())):
            print(printable(said), file=sys.stderr)
        return problem.exit_code
    if isinstance(problem, OSError) and problem.errno in UNUSABLE:
        print(printable(f"harness: {problem.filename}: {problem.strerror}."), file=sys.stderr)
        return errors.EXIT_USAGE
    if isinstance(problem, OSError) and problem.errno == errno.ENOSPC:
        print(printable(f"harness: {problem}: make room there; what was recorded so far is kept"), file=sys.stderr)
    else:
        import traceback

        traceback.print_exception(problem)
        print(BUG, file=sys.stderr)
    return errors.EXIT_ERROR


_CHOSEN = pattern(r"invalid choice: '([^']*)' \(choose from (.*)\)")
_UNKNOWN = pattern(r"unrecognized arguments: (--[\w-]+)")


def suggest(message: str) -> str:
    """What may have been meant instead of a value or an option that there is not."""
    chosen, unknown = _CHOSEN.search(message), _UNKNOWN.search(message)
    if chosen is not None:
        said, known = chosen[1], [word.strip(" '") for word in chosen[2].split(",")]
    elif unknown is not None:
        said, known = unknown[1], [row.flag for row in CELL_FIELDS.values() if row.flag is not None] + [*OTHER_FLAGS]
    else:
        return ""
    import difflib

    near = difflib.get_close_matches(said, known, n=1)
    return f"; did you mean {near[0]}?" if near and near[0] != said else ""


class _Parser(argparse.ArgumentParser):
    """Adds arguments that take long to make only when its command is called."""

    def error(self, message: str) -> NoReturn:
        """See argparse; the list of options is left to --help, and what is nearly right is named."""
        usage = f"usage: {self.prog} ...; {self.prog} --help lists the options"
        self.exit(errors.EXIT_USAGE, printable(f"{usage}\n{self.prog}: error: {message}{suggest(message)}\n"))

    fill: Callable[[argparse.ArgumentParser], None] | None = None

    def complete(self) -> None:
        """Add what is still to be added."""
        fill, self.fill = self.fill, None
        if fill is not None:
            fill(self)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:  # noqa: ANN401 - as argparse has it
        """See argparse."""
        self.complete()
        return super().parse_known_args(args, namespace)


def make_parser() -> argparse.ArgumentParser:
    """The parser; every command has its own --help."""
    parser = _Parser(
        prog=called if (called := Path(sys.argv[0]).name) in COMMANDS else COMMANDS[0],
        description="Drives a pinned gunicorn release through worker restarts behind a real reverse proxy, "
        "and says what broke.",
        epilog="Exit codes of reproduce: 0 a verdict was reached, 1 not what --expect says, 2 wrong usage, "
        "3 inconclusive, 4 error, 5 unrunnable, 130 interrupted. "
        "Of check: 0 holds, 1 violated, 2 wrong usage, 125 anything else. "
        "Of matrix: 0 all as expected, 1 something is not, else as of reproduce.",
    )
    parser.add_argument("--version", action="version", version=f"recycle-harness {__version__}")
    names = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_run(names, "reproduce", "one run; prints the verdict and where the record lies")
    _add_run(names, "check", "the same run as a test, for scripts and `git bisect run`")
    _add(names, "matrix", "many cells, a table at the end; compares it with what is expected").fill = _add_matrix
    _add(names, "scenario", "the other experiments: several runs and one verdict on them").fill = _add_scenarios
    _add(
        names, "diff", "two matrices, or two runs: what differs beyond chance; exit 1 where B is worse"
    ).fill = _add_diff
    _add(names, "advise", "your own settings: are you affected, what would help").fill = _add_advise
    _add(
        names, "bisect", "the release, and in a repository the commit, that brought or repaired a finding"
    ).fill = _add_bisect
    _add(
        names, "minimise", "the smallest settings under which a finding still shows, and which of them are necessary"
    ).fill = _add_minimise
    judge = _add(names, "judge", "judges a stored run again, from its events alone")
    _add_run_argument(judge)
    judge.add_argument("--json", action="store_true", help="print verdict.json instead of text")
    add_detail_options(judge)
    report = _add(names, "report", "renders a stored run or matrix")
    _add_run_argument(report)
    report.add_argument(
        "--format",
        type=_formats,
        default=("md",),
        metavar="F[,F]",
        help=f"{', '.join(FORMATS)} [md]; several: as files",
    )
    report.add_argument("--out", type=Path, metavar="DIR", help="write the files here instead")
    bundle = _add(names, "bundle", "makes the bug-report attachment, one zip")
    _add_run_argument(bundle)
    bundle.add_argument("--out", type=Path, metavar="FILE", help="the zip's name [beside the run]")
    bundle.add_argument("--force", action="store_true", help="also where nobody can tell what is a secret")
    doctor = _add(names, "doctor", "what is installed, what is missing, how to get it")
    doctor.add_argument(
        "--install",
        nargs="*",
        choices=tuple(RECIPES),
        metavar="TOOL",
        help=f"fetch what is missing first, of {', '.join(RECIPES)} [{', '.join(DEFAULTS)}]",
    )
    clean = _add(names, "clean", "removes unused environments and what interrupted runs left behind")
    clean.add_argument("--all", action="store_true", help="the whole cache folder: tools and environments")
    completion = _add(names, "completion", "prints what a shell needs to complete commands and options")
    completion.add_argument("shell", choices=SHELLS, help="for which shell")
    return parser


def make_whole_parser() -> argparse.ArgumentParser:
    """The parser with the arguments of every command, for what reads it instead of parsing with it."""
    parser = make_parser()
    for action in parser._actions:  # argparse has no other way to list them
        for command in getattr(action, "choices", None) or ():
            action.choices[command].complete()  # type: ignore[index]  # those of the commands are a mapping
    return parser


def _add(names: argparse._SubParsersAction[_Parser], name: str, what: str) -> _Parser:
    parser = names.add_parser(name, help=what, description=_sentence(what))
    parser.set_defaults(command=getattr(commands, name), skips=name == "check")
    return parser


def _sentence(what: str) -> str:
    """A summary as a sentence; a question ends as one."""
    return what[0].upper() + what[1:] + ("" if what.endswith("?") else ".")


def _add_run(names: argparse._SubParsersAction[_Parser], name: str, what: str) -> None:
    add_run_options(_add(names, name, what))


def _add_matrix(parser: argparse.ArgumentParser) -> None:
    from harness.studies.matrix.campaign.options import add_matrix_options

    add_matrix_options(parser)


def _add_diff(parser: argparse.ArgumentParser) -> None:
    from harness.studies.diff.command import add_diff_options

    add_diff_options(parser)


def _add_advise(parser: argparse.ArgumentParser) -> None:
    from harness.studies.advise.command import add_advise_options

    add_advise_options(parser)


def _add_bisect(parser: argparse.ArgumentParser) -> None:
    from harness.studies.bisect.options import add_bisect_options

    add_bisect_options(parser)


def _add_minimise(parser: argparse.ArgumentParser) -> None:
    from harness.studies.minimise.options import add_minimise_options

    add_minimise_options(parser)


def _add_scenarios(parser: argparse.ArgumentParser) -> None:
    from harness.studies.scenarios import SCENARIOS

    names = parser.add_subparsers(metavar="NAME", dest="scenario", required=True)
    for name, scenario in SCENARIOS.items():
        what = scenario.SUMMARY
        scenario.add_options(names.add_parser(name, help=what, description=_sentence(what)))


def _add_run_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", type=Path, help="a run's folder (such as runs/latest) or an attachment")


def _formats(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    unknown = [name for name in names if name not in FORMATS]
    if unknown or not names:
        raise argparse.ArgumentTypeError(f"{text!r}: the formats are {', '.join(FORMATS)}")
    return names
