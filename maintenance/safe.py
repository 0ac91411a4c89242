"""docs/safe.md, "is my release safe?", made from the packed tables: ``python -m maintenance.safe``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.stack.proxies import PROXIES
from harness.stack.workers import WORKERS
from harness.studies.advise.tables import PLAIN_PROXY, Shown, list_tested, load_tables, words_of_rate
from harness.studies.matrix.safety import Safety

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "safe.md"
MAX_REQUESTS = 1000

_HEAD = f"""\
# Is my release safe?

For somebody who runs gunicorn with `max_requests` and wants to know what clients lose when a worker restarts. Newest
release first. `harness advise gunicorn.conf.py --release 23.0.0 --proxy nginx` gives the same answer for your own
settings, and `--run` tries them. Without `max_requests` workers do not restart by themselves, and nothing of this
happens.

- **safe**: nothing was lost in any run.
- **1 in N**: about so many requests are lost with `max_requests = {MAX_REQUESTS:,}`, while 20 clients never pause; all
  of them while a worker restarts. Fewer with less traffic; with another `max_requests` in proportion.
- **refused**: clients are refused for a while when workers restart.
- **outage**: after the first restarts nothing is answered any more, until somebody restarts gunicorn.
- **no restarts**: workers do not restart after `max_requests`, or much later; what an app leaks stays.
- **late**: workers restart after more requests than `max_requests` and all that their clients may have in hand.
- **unknown**: nothing is known to be lost, but not every loss could be seen: with these settings, or on a busy machine.
- **-**: this release can't run that worker class.

[results.md](results.md#safe-with) says how sure that is. Behind a proxy that is not named here take what is said of
h2o, which hides nothing.

## Behind h2o

"""

_OTHERS = """
## Behind other proxies

nginx and caddy ask again where a connection that they had kept fails; that hides losses of requests that may be
repeated, and of no others (no POST).

"""

_TAIL = """
## What to do

| you have | do |
|---|---|
| thread workers, before 27.0.1 | upgrade to 27.0.1; until then nginx or caddy in front, or `worker_class = "sync"` |
| thread workers, 19.6.0, a Unix socket | upgrade at once: the first restart ends the service |
| any worker class, 24.0.0 | upgrade at once: workers that end are never replaced |
| eventlet or tornado workers | another worker class: no release that was tested is free of it |
| asgi workers, 25.0.2 to 26.0.0 | upgrade at once, to 27.0.1: the first restarts end the service |
| asgi workers | another worker class: no release that was tested is known to be free of losses |
| sync workers | nothing, but for 24.0.0 |
| gevent workers, 20.1.0 or later | upgrade from 24.0.0; they restart late, and lose requests with many connections |

What each costs, and the causes: `harness advise`, or the report of a run. The figures are those of
[results.md](results.md) and [proxies.md](proxies.md): a few runs a cell, so a rare loss may have been missed; how rare
stands on top of these pages.
"""


OUTAGE = {"socket-deleted", "permanent-outage", "workers-not-respawned"}
"""A path that is gone comes back no more than workers do: what is still answered comes over connections of before."""


def say(shown: Shown | None) -> str:
    """A cell in a word or two."""
    if shown is None or shown.safety is Safety.UNRUNNABLE:
        return "-"
    parts = []
    if OUTAGE & set(shown.seen):
        parts.append("**outage**")
    elif "failed-responses" in shown.seen:
        rate = shown.rate()
        words = words_of_rate(rate, MAX_REQUESTS) if rate is not None else ""
        parts.append(words.rpartition("about ")[2] if "1 in" in words else "refused" if "refused" in words else "some")
    if not parts and "max-requests-ignored" not in shown.seen:
        parts.append("safe" if shown.safety is Safety.SAFE else "unknown")
    if "max-requests-ignored" in shown.seen:
        parts.append("no restarts")
    elif "recycled-late" in shown.seen:
        parts.append("late")
    return ", ".join(parts)


def render_page() -> str:
    """The whole page."""
    others = sorted({(one.worker, one.proxy) for one in load_tables() if one.bind == "unix"}, key=_order_column)
    behind = [column for column in others if column[1] != PLAIN_PROXY]
    tried = {one.release for one in load_tables() if (one.worker, one.proxy) in behind}
    plain = render_table([(worker, PLAIN_PROXY) for worker in WORKERS], list_tested())
    return f"{_HEAD}{plain}{_OTHERS}{render_table(behind, [one for one in list_tested() if one in tried])}{_TAIL}"


def render_table(columns: Sequence[tuple[str, str]], releases: Sequence[str]) -> str:
    """The words of these worker classes and proxies, newest release first."""
    cells = {(one.release, one.worker, one.proxy): one for one in load_tables() if one.bind == "unix"}
    head = ["release", *(f"{worker}, {proxy}" for worker, proxy in columns)]
    lines = [head, ["---"] * len(head)]
    for release in reversed(releases):
        found = [cells.get((release, *column)) for column in columns]
        lines.append([release, *("not tried" if shown is None else say(shown) for shown in found)])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _order_column(column: tuple[str, str]) -> tuple[int, int]:
    worker, proxy = column
    return list(WORKERS).index(worker), list(PROXIES).index(proxy)


def main() -> None:
    """Write the page."""
    PAGE.write_text(render_page(), encoding="utf-8")
    print(PAGE.relative_to(ROOT))


if __name__ == "__main__":
    main()
