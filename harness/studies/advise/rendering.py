"""The advice as text for a terminal, as Markdown and as a page."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

from harness.core.model import Json
from harness.report.fields import number, text
from harness.report.templates import render
from harness.studies.advise.answering import Advice

HEADLINES = {True: "You are affected", False: "You are not affected", None: "The tables can't tell"}
_WIDTH = 100


def headline(advice: Advice) -> str:
    """The answer in one sentence."""
    return f"{HEADLINES[advice.affected]}: {advice.reason}"


def summarise(advice: Advice) -> list[tuple[str, str]]:
    """(name, text) of all that the answer rests on."""
    rows = []
    for one in advice.findings:
        told = ", ".join(f"#{number}" for number in one.upstream)
        history = ", ".join(
            filter(
                None,
                [
                    one.history,
                    f"upstream {told}" if told else "",
                ],
            )
        )
        rows.append(
            (one.id, f"seen in {one.seen} of {one.of} runs. {one.cause} {f'({history})' if history else ''}".strip())
        )
    rows += [("How much", advice.rate_in_words)] if advice.rate_in_words else []
    rows += [("Tested", advice.note)] if advice.note else []
    rows += [("Free of it", f"gunicorn {advice.free}")] if advice.free else []
    rows += [("Careful", f"{one.said} ({one.shown_by})") for one in advice.warnings]
    rows += [("Not read", f"{', '.join(advice.unread)}: the values are computed; --run has gunicorn read them")] * bool(
        advice.unread
    )
    rows += [("Read", ", ".join(advice.sources))] if advice.sources else []
    return rows


def table(advice: Advice) -> list[tuple[str, str, str, str]]:
    """(change, cost, verdict when tried, rate when tried): the settings as they are first, where they were tried."""
    tried = {str(row["remedy"]): row for row in advice.tried}
    rows = [("as it is", "", *_outcome(tried.get("")))] if advice.tried else []
    return [*rows, *((one.change, one.cost, *_outcome(tried.get(one.id))) for one in advice.remedies)]


def _outcome(row: Mapping[str, Json] | None) -> tuple[str, str]:
    if row is None:
        return "not tried", ""
    rate = row["rate"]
    findings = row["findings"]
    said = str(row["verdict"]) + (
        f": {', '.join(map(str, findings))}" if isinstance(findings, list) and findings else ""
    )
    if not isinstance(rate, Mapping):
        return said, text(row, "why", default="")
    low, high = (float(str(share)) for share in rate["interval_95"])  # type: ignore[union-attr]
    share = number(rate, "per_request") or 0.0
    failed, asked = number(rate, "failed") or 0, number(rate, "requests") or 0
    restarts = number(rate, "restarts") or 0
    return said, f"{share:.2%} ({low:.2%} to {high:.2%}): {failed:,} of {asked:,}, {restarts} restarts"


def render_terminal(advice: Advice) -> str:
    """For a terminal; at most 25 lines where nothing was tried."""
    lines = textwrap.wrap(headline(advice), _WIDTH)
    rows = summarise(advice)
    width = max((len(name) for name, _ in rows), default=0)
    for name, said in rows:
        lines += textwrap.wrap(
            f"{name:<{width}}  {said}", _WIDTH, initial_indent="  ", subsequent_indent=" " * (width + 4), max_lines=3
        )
    if advice.remedies:
        lines += ["", "What helps"]
        for change, cost, verdict, rate in table(advice):
            said = f"{change} (costs: {cost})" if cost else change
            lines += textwrap.wrap(said, _WIDTH, initial_indent="  ", subsequent_indent="    ", max_lines=2)
            if verdict != "not tried":
                lines += textwrap.wrap(f"{verdict}. {rate}", _WIDTH, initial_indent="    ", subsequent_indent="    ")
    if not advice.tried and advice.affected is not False:
        lines += ["", "  Next  --run tries your settings, then each of these (10 s each)"]
    return "\n".join(lines) + "\n"


def render_markdown(advice: Advice) -> str:
    """As a Markdown page."""
    return render("advice.md.j2", advice=advice, headline=headline(advice), rows=summarise(advice), tried=table(advice))


def render_html(advice: Advice) -> str:
    """As one page that needs no network."""
    return render(
        "advice.html.j2", advice=advice, headline=headline(advice), rows=summarise(advice), tried=table(advice)
    )
