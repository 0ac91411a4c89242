"""The ledger: what became of each request, from synthetic accounts whose truth is known."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path

import pytest

from harness.core.events.clients import LedgerFailed, Probe
from harness.core.model import Cell
from harness.engine.accounts import LAST_LINES_S, NOTES_FILE, Clients, await_last_lines
from harness.engine.ledger import close_ledger
from harness.judge.ledger.disagreements import AGREED, describe_disagreements, find_disagreement
from harness.judge.ledger.endings import CUT, LOST, Ending, LedgerEntry, Witnesses, decide
from tests.unit.accounts import END_NS, START_TENTH, Accounts, found

ALL = Witnesses(proxied=True, noted=True, logged=True)
DIRECT = Witnesses(proxied=False, noted=True, logged=True)
NO_APP = Witnesses(proxied=True, noted=False, logged=True)


def entry(
    client: str | None, proxy: str | None, gunicorn: str | None, *, lines: int = 0, notes: int = 0
) -> LedgerEntry:
    return LedgerEntry(client=client, proxy=proxy, gunicorn=gunicorn, lines=lines, notes=notes)


@pytest.mark.parametrize(
    ("said", "witnesses", "ending"),
    [
        (entry("200", "200", "200", lines=1, notes=1), ALL, Ending.ANSWERED),
        (entry("200", None, "200", lines=1, notes=1), DIRECT, Ending.ANSWERED),
        (entry("404", "404", "404", lines=1, notes=1), ALL, Ending.ANSWERED),
        (entry("500", "500", "500", lines=1, notes=1), ALL, Ending.ANSWERED),  # gunicorn's own word came through
        (entry("200", "200", None, notes=1), ALL, Ending.ANSWERED),  # the worker died before it logged
        (entry("502", "502", None), ALL, Ending.FAILED_BEFORE),
        (entry("502", "502", None), NO_APP, Ending.FAILED_UNKNOWN),
        (entry("502", "502", None, notes=1), ALL, Ending.FAILED_AFTER),
        (entry("502", "502", "200", lines=1), NO_APP, Ending.FAILED_AFTER),
        (entry("closed", None, None), ALL, Ending.FAILED_BEFORE),
        (entry("closed", None, "200", lines=1, notes=1), DIRECT, Ending.FAILED_AFTER),
        (entry("closed", None, None), NO_APP, Ending.FAILED_UNKNOWN),
        (entry("missing", None, None), NO_APP, Ending.FAILED_BEFORE),
        (entry("refused", None, None), NO_APP, Ending.FAILED_BEFORE),
        (entry("200", "200", "200", lines=1, notes=2), ALL, Ending.RUN_TWICE),
        (entry("200", "200", "200", lines=2), NO_APP, Ending.RUN_TWICE),
        (entry("502", "502", None, notes=2), ALL, Ending.RUN_TWICE),
        (entry("timeout", None, None, notes=1), ALL, Ending.NEVER_ANSWERED),
        (entry(CUT, "200", "200", lines=1, notes=1), ALL, Ending.UNDER_WAY),
        (entry(LOST, None, None), ALL, Ending.UNEXPLAINED),
        (entry(None, "200", None), ALL, Ending.UNEXPLAINED),
        (entry("200", None, "200", lines=1, notes=1), ALL, Ending.UNEXPLAINED),
        (entry("200", "502", "200", lines=1, notes=1), ALL, Ending.UNEXPLAINED),
        (entry("200", "200", None), ALL, Ending.UNEXPLAINED),
        (entry("200", "200", None), NO_APP, Ending.ANSWERED),
    ],
)
def test_the_fate_of_a_request(said: LedgerEntry, witnesses: Witnesses, ending: Ending) -> None:
    decided, why = decide(said, witnesses)
    assert decided is ending
    assert bool(why) == (ending is Ending.UNEXPLAINED)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (entry("200", "200", "200", lines=1, notes=1), AGREED),
        (entry("200", "200", "500", lines=1, notes=1), "other_status"),
        (entry("200", "200", "200", lines=2, notes=1), "logged_twice"),
        (entry("200", "200", None, notes=1), "not_logged"),
        (entry("200", "200", "200", lines=2, notes=2), AGREED),  # a proxy sent it again
        (entry("502", "502", "200", lines=1, notes=1), AGREED),  # the proxy lost the answer
        (entry("closed", None, None, notes=1), AGREED),
        (entry("200", "200", None), AGREED),  # unexplained already
        (entry(CUT, "200", None, notes=1), AGREED),
    ],
)
def test_where_gunicorns_log_contradicts_client_and_app(said: LedgerEntry, kind: str) -> None:
    assert find_disagreement(said, ALL) == kind
    assert find_disagreement(said, NO_APP) == AGREED


def test_a_few_of_such_requests_say_nothing() -> None:
    def describe(count: int) -> tuple[str, ...]:
        return describe_disagreements({"disagreements": {"not_logged": count}, "counts": {"requests": 500}})

    assert describe(10) == ()
    (said,) = describe(11)
    assert said.endswith("gunicorn's access log lacks 11 requests that the app ran and whose clients were answered")


def test_workers_that_ended_may_have_died_between_answer_and_line() -> None:
    def describe(kind: str, count: int) -> tuple[str, ...]:
        ledger = {"disagreements": {kind: count}, "counts": {"requests": 500}}
        return describe_disagreements(ledger, unlogged=40)

    assert describe("not_logged", 50) == ()
    assert describe("not_logged", 51)
    assert describe("logged_twice", 11)


def test_a_ledger_that_does_not_say_is_believed() -> None:
    assert describe_disagreements(None) == describe_disagreements({"counts": {"requests": 5}}) == ()


def test_the_access_log_names_processes_in_which_the_app_never_ran(tmp_path: Path) -> None:
    accounts = Accounts(tmp_path)
    accounts.serve(accounts.issue(0))
    assert "disagreements" not in accounts.close()
    name = accounts.issue(0)
    accounts.noted(name, pid=11)
    accounts.logged(name, pid=10)
    assert accounts.close()["disagreements"] == {"other_process": 1}


def test_all_is_answered(tmp_path: Path) -> None:
    accounts = Accounts(tmp_path)
    for number in range(100):
        accounts.serve(accounts.issue(number % 2))
    said = accounts.close()
    assert said["state"] == "closed"
    assert found(said) == {"requests": 100, "answered": 100}
    assert said["examples"] == {}
    assert said["witnesses"] == {"proxy": True, "gunicorn": True, "app": True}


def test_a_proxys_own_answers_have_no_id_and_are_matched_by_its_log(tmp_path: Path) -> None:
    accounts = Accounts(tmp_path)
    for number in range(40):
        name = accounts.issue(number % 2)
        if number % 4:
            accounts.serve(name)
        else:
            accounts.proxied(name, 502)
            accounts.answer(name, 502, echoed=False)
            if number % 8:
                accounts.noted(name, 12)
    said = accounts.close()
    assert found(said) == {
        "requests": 40,
        "answered": 30,
        "failed_before_gunicorn": 5,
        "failed_after_gunicorn": 5,
    }
    lost = said["examples"]["failed_after_gunicorn"][0]
    assert lost == {"id": "w4", "client": "502", "proxy": "502", "gunicorn": None, "runs": 1, "workers": [12]}
    assert said["run_but_not_logged"] == 5


def test_the_headers_of_an_answer_that_broke_off_do_not_name_the_next_one(tmp_path: Path) -> None:
    accounts = Accounts(tmp_path, closed=1)
    broken, next_one = accounts.issue(0), accounts.issue(0)
    accounts.noted(broken)
    accounts.proxied(broken, 200)
    accounts.proxied(next_one, 502)
    accounts.answer(broken, 502)  # it was the next one that was answered so
    for thread in (0, 0, 1, 1):
        accounts.serve(accounts.issue(thread))
    accounts.mark(END_NS // 100_000_000)
    for thread in (0, 0, 1, 1):
        accounts.issue(thread)
    said = accounts.close()
    assert found(said) == {
        "requests": 10,
        "answered": 4,
        "failed_before_gunicorn": 1,
        "failed_after_gunicorn": 1,
        "under_way_at_end": 4,
    }
    assert said["examples"]["failed_after_gunicorn"][0]["client"] == "closed"


def test_what_gunicorn_was_at_work_on_at_the_end_was_not_lost(tmp_path: Path) -> None:
    accounts = Accounts(tmp_path, threads=1, connections=2, proxy="none", closed=2)
    lost = accounts.issue(0)
    accounts.noted(lost, 12)
    accounts.mark(END_NS // 100_000_000 - 1)
    at_work = [accounts.issue(0), accounts.issue(0)]
    for name in at_work:
        accounts.noted(name)
    accounts.issue(0)  # its connection was closed before anybody read it
    said = accounts.close()
    assert found(said) == {
        "requests": 4,
        "failed_before_gunicorn": 1,
        "failed_after_gunicorn": 1,
        "under_way_at_end": 2,
    }
    assert [example["id"] for example in said["examples"]["under_way_at_end"]] == at_work
    assert said["examples"]["failed_after_gunicorn"][0]["id"] == lost


def test_a_load_that_knows_can_contradict_the_proxy(tmp_path: Path) -> None:
    accounts = Accounts(tmp_path, exact=True)
    name = accounts.issue(0)
    accounts.run(name)
    accounts.proxied(name, 200)
    accounts.end(name, "502")
    said = accounts.close()
    assert found(said) == {"requests": 1, "unexplained": 1}
    assert said["examples"]["unexplained"][0]["why"] == "the client was answered 502, but the proxy logged 200"


def test_more_answers_than_the_proxy_gave_are_unexplained(tmp_path: Path) -> None:
    accounts = Accounts(tmp_path)
    accounts.serve(accounts.issue(0))
    accounts.answer("w0", 302, echoed=False)
    said = accounts.close()
    assert found(said)["unexplained"] == 1
    assert said["answers_to_nobody"] == {"load": 1}


def test_a_request_that_only_servers_know_is_unexplained(tmp_path: Path) -> None:
    accounts = Accounts(tmp_path)
    accounts.serve(accounts.issue(0))
    accounts.proxied("w1999")
    accounts.run("w1999")
    said = accounts.close()
    assert said["unknown_ids"] == {"proxy": 1, "gunicorn": 1, "app": 1}
    assert found(said)["unexplained"] == 3


def test_an_answer_that_the_proxy_did_not_log_is_unexplained(tmp_path: Path) -> None:
    accounts = Accounts(tmp_path)
    accounts.serve(accounts.issue(0))
    name = accounts.issue(0)
    accounts.run(name)
    accounts.answer(name)
    said = accounts.close()
    assert found(said) == {"requests": 2, "answered": 1, "unexplained": 1}
    assert "did not" not in said["examples"]["unexplained"][0]["why"]
    assert "the proxy logged nothing" in said["examples"]["unexplained"][0]["why"]


def test_what_was_under_way_at_the_end_is_neither_failed_nor_hung(tmp_path: Path) -> None:
    accounts = Accounts(tmp_path)
    accounts.serve(accounts.issue(0))
    accounts.mark(END_NS // 100_000_000)
    for thread in (0, 1):
        name = accounts.issue(thread)
        accounts.run(name)
        accounts.proxied(name)
    accounts.issue(1)
    assert found(accounts.close()) == {"requests": 4, "answered": 1, "under_way_at_end": 3}


def test_a_server_that_hangs_is_seen_as_hung(tmp_path: Path) -> None:
    accounts = Accounts(tmp_path)
    for number in range(20):
        accounts.serve(accounts.issue(number % 2))
    for number in range(4):  # a request on each connection, ten seconds before the end
        accounts.noted(accounts.issue(number % 2))
    said = accounts.close()
    assert found(said) == {"requests": 24, "answered": 20, "never_answered": 4}
    assert said["by_client"]["load"]["never_answered"] == 4


def test_a_closed_connection_is_no_hang(tmp_path: Path) -> None:
    accounts = Accounts(tmp_path, proxy="none", closed=4)
    for number in range(4):
        accounts.noted(accounts.issue(number % 2))
    assert found(accounts.close()) == {"requests": 4, "failed_after_gunicorn": 4}


def test_more_missing_than_connections_failed_is_unexplained(tmp_path: Path) -> None:
    accounts = Accounts(tmp_path, proxy="none", closed=1)
    accounts.issue(1)
    for _ in range(4):
        accounts.issue(0)
    accounts.mark(END_NS // 100_000_000)
    accounts.issue(0)
    accounts.issue(0)
    said = accounts.close()
    # two connections a thread: of thread 0's six, two are under way, and of the other four one connection failed
    assert found(said)["unexplained"] == 3


def test_an_app_that_sends_no_id_back_is_counted_by_status(tmp_path: Path) -> None:
    accounts = Accounts(tmp_path)
    for number in range(10):
        name = accounts.issue(number % 2)
        accounts.logged(name)
        accounts.proxied(name)
        accounts.answer(name, echoed=False)
    name = accounts.issue(0)
    accounts.proxied(name, 502)
    accounts.answer(name, 502, echoed=False)
    assert found(accounts.close(notes=False)) == {"requests": 11, "answered": 10, "failed_unknown": 1}


def test_the_probers_requests_count_too(tmp_path: Path) -> None:
    accounts = Accounts(tmp_path)
    accounts.serve(accounts.issue(0))
    for name in ("p1", "d1"):
        accounts.run(name)
        accounts.probe(name, "200")
    accounts.proxied("p1")
    accounts.probe("d2", "missing")
    accounts.probe("p2", "timeout")
    said = accounts.close()
    assert said["by_client"] == {
        "load": {"answered": 1},
        "probe-proxy": {"answered": 1, "never_answered": 1},
        "probe-direct": {"answered": 1, "failed_before_gunicorn": 1},
    }
    assert said["counts"]["requests"] == 5


def test_a_load_that_knows_is_believed(tmp_path: Path) -> None:
    accounts = Accounts(tmp_path, exact=True)
    for outcome in ("closed", "timeout", "refused", "cut"):
        accounts.end(accounts.issue(0), outcome)
    assert found(accounts.close()) == {
        "requests": 4,
        "failed_before_gunicorn": 2,
        "never_answered": 1,
        "under_way_at_end": 1,
    }


def test_a_late_answer_is_an_answer(tmp_path: Path) -> None:
    accounts = Accounts(tmp_path, exact=True)
    name = accounts.issue(1)
    accounts.end(name, "timeout")
    accounts.serve(name)
    assert found(accounts.close()) == {"requests": 1, "answered": 1}


def test_a_load_that_sent_nothing_has_an_empty_ledger(tmp_path: Path) -> None:
    said = Accounts(tmp_path, threads=3).close()
    assert said["state"] == "closed"
    assert found(said) == {}


def test_it_is_told_when_the_requests_that_failed_were_sent(tmp_path: Path) -> None:
    accounts = Accounts(tmp_path, threads=2, closed=3)
    accounts.serve(accounts.issue(0))
    lost = [accounts.issue(0), accounts.issue(1)]
    accounts.mark(START_TENTH + 7)
    lost.append(accounts.issue(1))
    for name in [accounts.issue(0), accounts.issue(1)]:
        accounts.serve(name)
    tenth_ns = 100_000_000
    said = accounts.close()
    assert found(said)["failed_before_gunicorn"] == len(lost)
    assert [tuple(row) for row in said["failed_by_tenth"]] == [
        (START_TENTH * tenth_ns, 2),
        ((START_TENTH + 7) * tenth_ns, 1),
    ]


def test_an_empty_file_of_notes_means_that_nobody_keeps_any(tmp_path: Path) -> None:
    (tmp_path / NOTES_FILE).touch()
    accounts = Accounts(tmp_path, proxy="none", closed=10)
    for _ in range(10):
        accounts.issue(0)
    assert found(accounts.close(notes=False)) == {"requests": 10, "failed_unknown": 10}


def hear_probes(**outcomes: str) -> Clients:
    clients = Clients()
    for name, outcome in outcomes.items():
        clients.hear(Probe(at_ns=1, via="proxy", took_ns=1, id=name, outcome=outcome))
    return clients


def test_the_last_lines_of_the_logs_are_waited_for(tmp_path: Path) -> None:
    clients = hear_probes(p1="200", p2="502", d1="200", d2="timeout")
    gunicorn, h2o = tmp_path / "gunicorn.access.log", tmp_path / "h2o.access.log"
    gunicorn.write_text('"GET / HTTP/1.1" 200 11 "-" "-" d1 <11>\n')
    began_s = time.monotonic()
    late = threading.Timer(0.1, h2o.write_text, ['"GET / HTTP/1.1" 200 11 "-" "-" p1\n'])
    late.start()
    await_last_lines(Cell(spec="1.0"), tmp_path, clients)
    late.join()
    assert 0.1 <= time.monotonic() - began_s < LAST_LINES_S + 1.0
    began_s = time.monotonic()
    h2o.unlink()
    await_last_lines(Cell(spec="1.0"), tmp_path, clients)
    assert time.monotonic() - began_s >= LAST_LINES_S


def test_a_load_that_died_leaves_no_ledger(tmp_path: Path) -> None:
    accounts = Accounts(tmp_path)
    accounts.close()
    (tmp_path / "ledger.load.log").unlink()
    said = close_ledger(Cell(spec="1.0"), tmp_path, Clients())
    assert isinstance(said, LedgerFailed)
    assert "no account" in str(said.detail)


@pytest.mark.parametrize("seed", range(40))
def test_the_truth_is_found_whatever_happens(tmp_path: Path, seed: int) -> None:
    """Random worlds: each request gets a story, the accounts are written from it, and the counts must be its counts."""
    draw = random.Random(seed)  # noqa: S311 - no secret
    proxy = draw.choice(["h2o", "none"])
    accounts = Accounts(tmp_path, threads=(threads := draw.randint(1, 5)), connections=threads * 3, proxy=proxy)
    truth = dict.fromkeys(Ending, 0)
    stories = [Ending.ANSWERED] * 8 + [Ending.FAILED_BEFORE, Ending.FAILED_AFTER, Ending.RUN_TWICE]
    for _ in range(draw.randint(0, 400)):
        story = draw.choice(stories)
        _tell(accounts, accounts.issue(draw.randrange(threads)), story)
        truth[story] += 1
    hangs = draw.choice([0, 1, 3])
    truth[Ending.NEVER_ANSWERED] = _leave_open(accounts, draw, threads, hangs)
    accounts.mark(END_NS // 100_000_000)
    truth[Ending.UNDER_WAY] = _leave_open(accounts, draw, threads, 3 - hangs)
    said = accounts.close()
    assert found(said) == {
        name: count
        for name, count in {"requests": sum(truth.values()), **{f.value: n for f, n in truth.items()}}.items()
        if count
    }


def _leave_open(accounts: Accounts, draw: random.Random, threads: int, each: int) -> int:
    """Requests that nobody answers to the client, so many for each thread, whatever the servers do with them."""
    for thread in range(threads):
        for _ in range(each):
            name = accounts.issue(thread)
            if draw.random() < 0.5:
                accounts.noted(name)
    return threads * each


def _tell(accounts: Accounts, name: str, story: Ending) -> None:
    if story is Ending.ANSWERED:
        accounts.serve(name)
        return
    if story is Ending.RUN_TWICE:
        accounts.noted(name, 12)
        accounts.serve(name)
        return
    if story is Ending.FAILED_AFTER:
        accounts.noted(name)
    if accounts.proxy == "none":
        accounts.closed += 1
    else:
        accounts.proxied(name, 502)
        accounts.answer(name, 502, echoed=False)
