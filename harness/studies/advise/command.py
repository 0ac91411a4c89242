"""`harness advise`: reads what the user has, answers from the tables, and tries it where that is asked for."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from harness.core.errors import EXIT_OK, UsageError
from harness.core.files import replace_file
from harness.core.text import printable
from harness.provision.releases import suggest_release
from harness.stack.proxies import PROXIES
from harness.studies.advise.answering import Advice, answer
from harness.studies.advise.deployment import Deployment, read_all
from harness.studies.advise.rendering import render_html, render_markdown, render_terminal
from harness.studies.advise.tables import list_tested

DEFAULT_CONFIG = "gunicorn.conf.py"
LATEST = "latest"


def add_advise_options(parser: argparse.ArgumentParser) -> None:
    """All options of `harness advise`."""
    parser.add_argument(
        "config",
        nargs="*",
        metavar="CONFIG",
        help="what you have: gunicorn.conf.py, gunicorn's command line, a systemd .service or .socket, a Dockerfile, "
        f"an nginx configuration; several together [{DEFAULT_CONFIG}]",
    )
    parser.add_argument("--release", default=LATEST, metavar="V", help="your gunicorn [the newest that was tested]")
    parser.add_argument("--proxy", choices=tuple(PROXIES), help="your proxy [one that hides nothing]")
    parser.add_argument("--run", action="store_true", help="try the settings as they are, then each remedy")
    parser.add_argument("--out", type=Path, default=Path("runs"), metavar="DIR", help="where the advice goes [runs]")
    parser.add_argument("--json", action="store_true", help="print advice.json instead of text")
    parser.add_argument(
        "--with-requirements", type=Path, metavar="FILE", help="with --run: install these beside gunicorn"
    )
    parser.add_argument(
        "--with", dest="with_package", action="append", default=[], metavar="PACKAGE", help="with --run: this, too"
    )


def run_advise(options: argparse.Namespace, say: Callable[[str], None]) -> int:
    """Answer, write advice.json, advice.md and advice.html, and print the answer.

    Raises:
        UsageError: something that was named is not there, or is none of the known kinds.
    """
    told = read_all(_find_config(options.config))
    advice = answer(told, release=_find_release(options.release), proxy=options.proxy)
    if options.run:
        advice = _try(advice, told, options, say)
    _store(advice, options.out)
    if options.json:
        print(json.dumps(advice.to_json(), indent=1, ensure_ascii=False))
    else:
        sys.stdout.write(printable(render_terminal(advice)))
        print(f"  Page  {printable(str(options.out / 'advice.html'))}")
    return EXIT_OK


def _find_config(named: list[str]) -> list[str]:
    if named:
        return named
    if Path(DEFAULT_CONFIG).is_file():
        return [DEFAULT_CONFIG]
    raise UsageError(
        what=f"There is no {DEFAULT_CONFIG} here.",
        remedy="Name your settings file, or gunicorn's command line in quotes, or both.",
    )


def _find_release(named: str) -> str:
    tested = list_tested()
    if named == LATEST:
        return tested[-1]
    if named not in tested:
        near = suggest_release(named)
        raise UsageError(
            what=f"--release {named} is not in the tables.",
            remedy=f"{near} The tables go from {tested[0]} to {tested[-1]}; harness reproduce runs others.".strip(),
        )
    return named


def _try(advice: Advice, told: Deployment, options: argparse.Namespace, say: Callable[[str], None]) -> Advice:
    from harness.provision.requirements import parse_requirement, read_requirements
    from harness.studies.advise.trying import TrialPlan, try_all

    listed = read_requirements(options.with_requirements) if options.with_requirements is not None else ()
    project = (*listed, *(one for said in options.with_package for one in parse_requirement(said)))
    rows = try_all(advice, TrialPlan(told=told, out=options.out, project=project), say)
    return replace(advice, tried=tuple(rows))


def _store(advice: Advice, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    said = json.dumps(advice.to_json(), indent=1, ensure_ascii=False) + "\n"
    for name, content in (
        ("advice.json", said),
        ("advice.md", render_markdown(advice)),
        ("advice.html", render_html(advice)),
    ):
        replace_file(out / name, content)
