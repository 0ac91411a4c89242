"""The records at hand: where they lie, and the page of each, judged and written as today's harness does it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.core.errors import UsageError
from harness.core.model import Json, Outcome
from harness.disturb import RECYCLE
from harness.judge.record import judge_record
from harness.provision.specifiers import as_version
from harness.records.store import load_run
from harness.records.stored import StoredRun
from harness.report import summary
from harness.report.as_html import render_html
from harness.report.as_json import verdict_to_json
from maintenance.site.strips import Strip, make_strip

SAID = {Outcome.HOLDS, Outcome.VIOLATED}
"""Only what says something about a release is worth a page."""

Place = tuple[str, str, str, str]
"""A release, a worker class, a proxy and a disturbance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A record that has a page. ``name``: of its folder or attachment; ``page``: relative to the site's root.

    A scenario, which is several runs, has no place in the tables and no strip.
    """

    name: str
    page: str
    subject: str
    answer: str
    setting: str
    outcome: str
    place: Place | None
    strip: Strip | None


def find_records(folders: Sequence[Path]) -> Iterator[Path]:
    """Attachments in the folders, and runs in or below them; ``latest`` is a link to one of these.

    Raises:
        UsageError: one is no folder.
    """
    for folder in folders:
        if not folder.is_dir():
            raise UsageError(what=f"{folder} is no folder.", remedy="Name a folder that holds records.")
        yield from sorted(folder.glob("*.zip"))
        runs = sorted(cell.parent for cell in folder.rglob("cell.json"))
        yield from (run for run in runs if (run / "events.jsonl").is_file() and run.name != "latest")


def name_record(path: Path) -> str:
    """An attachment's name; of a run's folder also that of its cell, as two runs of one second may have one name."""
    return path.stem if path.suffix == ".zip" else f"{path.parent.name}/{path.name}"


def publish_records(folders: Sequence[Path], target: Path) -> list[Recorded]:
    """Write ``records/NAME/report.html`` below ``target`` for every record that says something about a release."""
    (target / "records").mkdir(parents=True)
    found = []
    for path in find_records(folders):
        with load_run(path) as stored:
            if as_version(stored.cell.spec) is None:
                continue  # a checkout, a mutant or a stub, which the site does not speak of
            verdict, story = judge_record(stored.cell, stored.events())
            if verdict.outcome in SAID:
                judged = replace(stored, verdict=verdict_to_json(verdict, run_id=stored.run_id, story=story))
                found.append(_publish(judged, name_record(path), target))
    return found


def _publish(stored: StoredRun, name: str, target: Path) -> Recorded:
    page = target / "records" / name / "report.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(render_html(stored), encoding="utf-8")
    verdict = stored.judged()
    single = not summary.is_scenario(verdict)
    return Recorded(
        name=name,
        page=page.relative_to(target).as_posix(),
        subject=summary.subject(verdict),
        answer=summary.answer_of(verdict).sentence,
        setting=summary.setting(verdict),
        outcome=str(verdict["verdict"]),
        place=_place_of(verdict["cell"]) if single else None,
        strip=make_strip(stored) if single else None,
    )


def _place_of(cell: Json) -> Place | None:
    if not isinstance(cell, dict):
        return None
    names = (str(cell.get(key)) for key in ("gunicorn", "worker", "proxy"))
    release, worker, proxy = names
    return release, worker, proxy, str(cell.get("disturb") or RECYCLE)
