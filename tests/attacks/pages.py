"""Scripts in every text of a record, looked at in a real browser: none may run, and nothing may leave the file."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.attacks.attempt import Attempt, Place, a_place
from tests.unit.runs import deleted, write_run

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
TAKEN = "window.taken=1;document.title='taken'"
HOSTILE = (
    f'</script></style></title></textarea><script>{TAKEN}</script><img src=x onerror="{TAKEN}"><svg onload={TAKEN}>'
    f"'\"><a href=\"javascript:{TAKEN}\">x</a>{{{{constructor.constructor('{TAKEN}')()}}}}"
)
FACTS = {"os": {"kernel": "x"}, "deviations": ["x"], "gunicorn": {"freeze": ["x"]}, "versions": {"h2o": "x"}}


def attack(every: int = 1) -> Iterator[Attempt]:
    """Each text field by itself; none where there is no browser, which is said."""
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None or importlib.util.find_spec("playwright") is None:
        print("no attack with pages: Chromium or Playwright is missing (make browser)", file=sys.stderr)
        return
    from playwright.sync_api import sync_playwright

    sandbox = [] if os.geteuid() else ["--no-sandbox"]  # as root Chromium does not start with it
    with a_place() as place, sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=browser, args=sandbox)
        for name, field in list(_list_fields(place))[::every]:
            yield _try(place, chromium, name, field)
        chromium.close()


def _try(place: Place, chromium: Any, name: str, field: tuple[Any, ...]) -> Attempt:  # noqa: ANN401 - Playwright may be missing
    folder = _record(place)
    _plant(folder / name, field)
    done = place.run("report", folder, "--format", "html")
    complaints = done.complain((0, 2))
    if done.code == 0:
        page_file = place.root / "page.html"
        page_file.write_text(done.out, encoding="utf-8", errors="surrogateescape")
        complaints += _look(chromium, page_file)
    where = ".".join(map(str, field)) or "a line"
    return Attempt(name=f"a script in {where} of {name}", complaints=(*complaints, *place.leftovers()))


def _look(chromium: Any, page_file: Path) -> list[str]:  # noqa: ANN401 - Playwright may be missing
    page, asked = chromium.new_page(), []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda problem: asked.append(f"error: {problem}"))
    try:
        page.goto(page_file.as_uri())
        page.wait_for_load_state("networkidle")
        ran = page.evaluate("window.taken === 1 || document.title === 'taken'")
        planted = page.locator("img[onerror], svg[onload], a[href^='javascript']").count()
    finally:
        page.close()
    gone_out = [url for url in asked if not url.startswith(("file:", "data:", "blob:"))]
    return [*(["a script ran"] if ran else []), *([f"{planted} elements"] if planted else []), *gone_out]


def _record(place: Place) -> Path:
    folder = place.root / "record"
    shutil.rmtree(folder, ignore_errors=True)
    write_run(deleted(), folder, facts=FACTS)
    return folder


def _list_fields(place: Place) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Each text in each file of a record: the file's name, and the keys that lead to the text."""
    folder = _record(place)
    for name in ("cell.json", "facts.json", "verdict.json"):
        yield from ((name, field) for field in _walk(json.loads((folder / name).read_text()), ()))
    kinds: dict[object, tuple[int, Any]] = {}
    for at, line in enumerate((folder / "events.jsonl").read_text().splitlines()):
        event = json.loads(line)
        kinds.setdefault((event["kind"], event.get("state")), (at, event))
    for at, event in kinds.values():
        yield from (("events.jsonl", (at, *field)) for field in _walk(event, ()) if field != ("kind",))
    yield "logs/gunicorn.error.log", ()
    yield "config/config.py", ()


def _walk(data: Any, way: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 - JSON
    if isinstance(data, str):
        yield way
    elif isinstance(data, dict):
        for key, value in data.items():
            yield from _walk(value, (*way, key))
    elif isinstance(data, list):
        for at, value in enumerate(data[:2]):
            yield from _walk(value, (*way, at))


def _plant(path: Path, field: tuple[Any, ...]) -> None:
    if path.suffix == ".jsonl":
        lines = path.read_text().splitlines()
        lines[field[0]] = json.dumps(_with(json.loads(lines[field[0]]), field[1:]))
        path.write_text("".join(f"{line}\n" for line in lines))
    elif path.suffix == ".json":
        path.write_text(json.dumps(_with(json.loads(path.read_text()), field)))
    else:
        path.write_text(f"[2026-01-01 00:00:00 +0000] [101] [ERROR] {HOSTILE}\n" * 3)


def _with(data: Any, field: tuple[Any, ...]) -> Any:  # noqa: ANN401 - JSON
    if not field:
        return f"{data}{HOSTILE}"
    data[field[0]] = _with(data[field[0]], field[1:])
    return data
