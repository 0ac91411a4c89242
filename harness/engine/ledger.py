"""Closes the ledger of a run: reads all accounts from their files, and compares them.

The result becomes one event; the judge reads that event and never these files. ``bench/ledger.py`` measures the cost.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import cast

from harness.core.clock import now_ns
from harness.core.errors import HarnessError
from harness.core.events.clients import LedgerClosed, LedgerFailed, LoadEnded
from harness.core.events.doings import AppFault
from harness.core.model import Cell
from harness.core.patterns import pattern
from harness.engine.accounts import NOTES_FILE, Clients
from harness.judge.ledger import load_account, unanswered
from harness.judge.ledger.books import NOTES, Books, read_pieces
from harness.judge.ledger.changed import find_changed
from harness.judge.ledger.disagreements import MEANINGS, OTHER_PROCESS, count_strange
from harness.judge.ledger.endings import Ending, Witnesses
from harness.judge.ledger.repeats import find_repeated
from harness.judge.ledger.tally import EXAMPLES, LETTERS, Tally
from harness.stack import gunicorn
from harness.stack.proxies import PROXIES

MOST_UNFINISHED = 1000
"""Requests that the app never came to the end of: more of them tell nothing more."""

_STAYS = pattern(rb"^(?:([wpd]\d+) (\d+) \S+ (\d+)|-([wpd]\d+) (\d+))$", re.MULTILINE)
"""The begin and the end of the app's work on a request, as ``fixtures/noting.py`` notes them."""

_NOTED_IN = pattern(rb"^\S+ (\d+)\b", re.MULTILINE)
"""The process of a note: of the app's start in a worker, and of each request."""


def close_ledger(cell: Cell, logs: Path, clients: Clients) -> LedgerClosed | LedgerFailed:
    """What became of each request, or why that isn't known."""
    started_ns = now_ns()
    try:
        said = _reconcile(cell, logs, clients)
    except (HarnessError, OSError) as problem:
        return LedgerFailed(detail=getattr(problem, "what", None) or str(problem))
    return replace(said, took_s=round((now_ns() - started_ns) / 1e9, 3))


def _reconcile(cell: Cell, logs: Path, clients: Clients) -> LedgerClosed:
    threads = load_account.read_threads(logs)
    sizes = {"w": max((thread.end for thread in threads), default=0)}
    sizes |= {letter: max(probes, default=0) + 1 for letter, probes in clients.probes.items()}
    books = Books(sizes)
    unattributed = Counter({"load": load_account.read_outcomes(logs, threads, books.by_letter[b"w"])})
    for letter, probes in clients.probes.items():
        table = books.by_letter[letter.encode()].client
        for number, outcome in probes.items():
            table[number] = books.codes[outcome.encode()]
    by_pid, noted = Counter[int](), set[int]()
    witnesses = _write_servers(cell, logs, books, by_pid, noted)
    bounds = unanswered.Bounds(
        connections=cell.connections // max(len(threads), 1),
        closed=_closed(clients.load),
        ended_ns=0 if clients.load is None else clients.load.at_ns,
        last_sent_ns=max((thread.marked_ns for thread in threads), default=0),
        proxied=witnesses.proxied,
        gaps=witnesses.gaps or not witnesses.proxied,
    )
    unattributed["load"] += unanswered.settle(books.by_letter[b"w"], threads, bounds)
    tally = Tally()
    for client, letter in LETTERS.items():
        met = replace(witnesses, proxied=False) if client == "probe-direct" else witnesses
        tally.count(client, books.by_letter[letter.encode()], met)
    tally.name_workers(logs / NOTES_FILE)
    if witnesses.noted:
        tally.disagreements[OTHER_PROCESS] += count_strange(by_pid, noted)
    unproxied = {"d"} if cell.proxy != "none" else set(LETTERS.values())
    repeated = find_repeated(logs / NOTES_FILE, books, unproxied=unproxied)
    # The user's own proxy configuration may send one request here and one there.
    changed = find_changed(logs / NOTES_FILE, of=set(LETTERS.values()) if cell.proxy_config is None else unproxied)
    return LedgerClosed(
        counts=tally.sum_up(unattributed=unattributed.total() + books.strangers.total()),
        by_client={client: dict(endings) for client, endings in tally.by_client.items()},
        failed_by_tenth=load_account.count_by_tenth(threads, books.by_letter[b"w"], tally.failed["load"]) or None,
        examples={ending.value: tally.examples[ending] for ending in Ending if ending in tally.examples},
        run_but_not_logged=tally.unlogged,
        answered_but_not_logged_by_proxy=tally.gaps,
        answers_to_nobody=dict(+unattributed),
        unknown_ids=dict(books.strangers),
        repeated=len(repeated) if witnesses.noted else None,
        repeated_examples=repeated[:EXAMPLES] or None,
        changed=None if changed is None else len(changed),
        changed_examples=[one.to_json() for one in (changed or ())[:EXAMPLES]] or None,
        disagreements={kind: tally.disagreements[kind] for kind in MEANINGS if tally.disagreements[kind]} or None,
        witnesses={"proxy": witnesses.proxied, "gunicorn": witnesses.logged, "app": witnesses.noted},
    )


def list_unfinished(logs: Path, *, offset_ns: int = 0) -> list[AppFault]:
    """The requests that the user's app never came to the end of, from its notes; none where it has no wrapper.

    ``offset_ns``: what is to be added to a time of the notes. The end of a worker cuts requests off, too.
    """
    begun: dict[bytes, tuple[int, int]] = {}
    for piece in read_pieces(logs / NOTES_FILE):
        for name, pid, at_ns, over, over_pid in _STAYS.findall(piece):
            if over:
                begun.pop(over + b"@" + over_pid, None)
            else:
                begun[name + b"@" + pid] = (int(pid), int(at_ns) + offset_ns)
    return [
        AppFault(at_ns=at_ns, pid=pid, what="unfinished", detail=name.partition(b"@")[0].decode())
        for name, (pid, at_ns) in begun.items()
    ][:MOST_UNFINISHED]


def _closed(load: LoadEnded | None) -> int:
    return load.errors.get("closed", 0) if load is not None else 0


def _write_servers(cell: Cell, logs: Path, books: Books, by_pid: Counter[int], noted_in: set[int]) -> Witnesses:
    """Read what the servers wrote; a log without any id is no account.

    ``by_pid`` gets the lines of gunicorn's access log, ``noted_in`` the processes from which the app wrote a note.
    """
    proxy, proxied = PROXIES[cell.proxy], 0
    if proxy is not None:
        for piece in read_pieces(logs / f"{cell.proxy}.access.log"):
            proxied += books.write_proxy(proxy.parse_ledger(piece))
    logged = 0
    for piece in read_pieces(logs / "gunicorn.access.log"):
        logged += books.write_gunicorn(gunicorn.parse_ledger(piece))
        for (pid, _), count in gunicorn.parse_access(piece).items():
            by_pid[pid] += count
    noted = False
    for piece in read_pieces(logs / NOTES_FILE):
        books.write_notes(cast("list[tuple[bytes, bytes]]", NOTES.findall(piece)))
        noted_in.update(map(int, set(_NOTED_IN.findall(piece))))
        noted = True
    gaps = proxy is not None and not proxy.LOGS_ALL
    return Witnesses(proxied=proxied > 0, gaps=gaps, noted=noted, logged=logged > 0)
