"""`harness advise` from the tables alone: right about published settings, whatever form they have."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version

from harness.cli.main import main
from harness.core.errors import UsageError
from harness.engine.settings_reading import read_said
from harness.studies.advise.answering import Advice, answer
from harness.studies.advise.cautions import RULES
from harness.studies.advise.deployment import read_all, read_dockerfile, read_nginx, read_settings, read_unit
from harness.studies.advise.rendering import render_html, render_markdown, render_terminal, table
from harness.studies.advise.tables import (
    Shown,
    find_free,
    find_shown,
    list_tested,
    load_tables,
    make_rate,
    words_of_rate,
)
from harness.studies.matrix.safety import Safety
from maintenance.known import BISECTS, TARGET, render_bisects, render_rates
from maintenance.safe import PAGE, render_page, say

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
CASES = tomllib.loads(Path(__file__).with_name("published_settings.toml").read_text())["case"]


def test_there_are_enough_cases() -> None:
    assert sum(case["affected"] for case in CASES) >= 20
    assert sum(not case["affected"] for case in CASES) >= 50
    assert {case["release"] for case in CASES} == {list_tested()[-1], "23.0.0", "20.1.0"}


@pytest.mark.parametrize("case", CASES, ids=[f"{case['release']} {case['name']}" for case in CASES])
def test_published_settings(case: dict[str, Any]) -> None:
    advice = answer(read_settings(case["settings"]), release=case["release"], proxy=case.get("proxy"))
    assert advice.affected is case["affected"], advice.reason
    assert bool(advice.findings) is case["affected"]
    assert not advice.unread
    if case["affected"]:
        assert all(one.cause != "not known" for one in advice.findings)
        assert advice.rate_in_words
    assert len(render_terminal(advice).splitlines()) <= 25


def test_the_packed_rates_are_those_of_the_docs() -> None:
    assert TARGET.read_text() == render_rates(), "make them again: make known"
    assert BISECTS.read_text() == render_bisects(), "make them again: make known"


def test_the_page_says_what_the_tables_say() -> None:
    assert PAGE.read_text() == render_page(), "make it again: make known"
    lines = [line.split("|")[1:-1] for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    rows = {line[0].strip(): [cell.strip() for cell in line[1:]] for line in lines}
    assert list(rows)[2:4] == [list_tested()[-1], list_tested()[-2]], "newest first"
    assert rows["27.0.1"][:2] == ["safe", "safe"]
    assert rows["19.6.0"][0] == "**outage**"
    assert rows["24.0.0"][1] == "**outage**"
    assert rows["23.0.0"][0].startswith("1 in ")


def test_what_to_do_follows_from_the_tables() -> None:
    """The advice below the tables of docs/safe.md is written by hand, and has to be true of each cell."""
    cells = {(one.worker, one.release): one for one in load_tables() if (one.proxy, one.bind) == ("h2o", "unix")}

    def of(worker: str) -> dict[str, Shown]:
        return {release: one for (named, release), one in cells.items() if named == worker}

    def safe(worker: str) -> set[str]:
        return {release for release, one in of(worker).items() if one.safety is Safety.SAFE}

    assert safe("gthread") == {"27.0.1"}
    assert {release for release, one in of("sync").items() if one.safety is Safety.BREAKS} == {"24.0.0"}
    assert safe("eventlet") == safe("tornado") == safe("asgi") == set()
    outages = {release for release, one in of("asgi").items() if "permanent-outage" in one.seen} - {"24.0.0"}
    assert outages <= {"25.0.2", "25.0.3", "25.1.0", "25.2.0", "25.3.0", "26.0.0"}
    assert "permanent-outage" in cells["gthread", "19.6.0"].seen
    hit = [one for (_, release), one in cells.items() if release == "24.0.0" and one.safety is not Safety.UNRUNNABLE]
    assert {one.worker for one in hit if "permanent-outage" not in one.seen} <= {"tornado"}, (
        "whose workers don't restart"
    )
    later = [one for release, one in of("gevent").items() if Version(release) >= Version("20.1")]
    assert [one.release for one in later if one.hurts.keys() - {"failed-responses"}] == ["24.0.0"]


def _advise(text: str, release: str = "23.0.0", proxy: str | None = "h2o") -> Advice:
    return answer(read_settings(text), release=release, proxy=proxy)


def test_what_was_not_tried_is_not_claimed() -> None:
    unknown = _advise('worker_class = "uvicorn.workers.UvicornWorker"\nmax_requests = 100\n')
    assert unknown.affected is None
    assert "--run tries it" in unknown.reason
    assert "gevent" in _advise('worker_class = "gevent"\nmax_requests = 9\nbind = "unix:/x"\n', proxy="nginx").reason
    near = _advise('worker_class = "eventlet"\nmax_requests = 9\nbind = "unix:/x"\n', proxy="nginx")
    assert near.note == "tried behind h2o, not behind nginx"


def test_the_deleted_socket_is_told_with_the_way_out() -> None:
    advice = _advise('bind = "unix:/run/x.sock"\nthreads = 5\nmax_requests = 512\n', "19.6.0")
    assert [one.id for one in advice.findings] == ["socket-deleted", "permanent-outage"]
    assert advice.free == "27.0.1"
    assert {remedy.id for remedy in advice.remedies} == {"newest", "next", "sync", "tcp", "no-restarts"}
    assert "every request from the first restart on" in advice.rate_in_words
    tcp = _advise('bind = "0.0.0.0:8000"\nthreads = 5\nmax_requests = 512\n', "19.6.0")
    assert [one.id for one in tcp.findings] == ["failed-responses"]
    assert "tcp" not in {remedy.id for remedy in tcp.remedies}


def test_a_value_that_is_computed_is_named_and_not_guessed() -> None:
    told = read_settings("import mine\nworkers = mine.count()\nif mine.big:\n    threads = 8\nmax_requests = 5\n")
    assert set(told.unread) == {"workers", "threads"}
    assert told.settings == {"max_requests": 5}


def test_warnings() -> None:
    warned = _advise('bind = "unix:/x"\nreuse_port = True\nworkers = 4\nmax_requests = 9\n').warnings
    assert {one.id for one in warned} == {"reuse-port-unix", "no-jitter"}
    assert _advise('bind = "unix:/x"\nworkers = 4\nmax_requests = 9\nmax_requests_jitter = 9\n').warnings == ()


NGINX = "upstream app {{ server unix:/run/x; keepalive {kept}; keepalive_timeout {idle}; }}\n"
NGINX += "server {{ location / {{ proxy_http_version 1.1; proxy_pass http://app; }} }}\n"
THREADS = "bind = 'unix:/run/x'\nthreads = 4\nworkers = 2\nmax_requests = 1000\n"


@pytest.mark.parametrize(
    ("files", "warned"),
    [
        ({"c.py": THREADS + "max_requests_jitter = 200\n"}, set()),
        ({"c.py": THREADS + "max_requests_jitter = 20\n"}, {"small-jitter"}),
        ({"c.py": THREADS + "max_requests_jitter = 200\nbind = 'unix:/tmp/x.sock'\n"}, {"cleaned-folder"}),
        ({"c.py": THREADS + "max_requests_jitter = 200\nworker_connections = 2000\n"}, {"limit-below-connections"}),
        ({"c.py": "max_requests_jitter = 9\nmax_requests = 50\n", "n.conf": NGINX.format(kept=64, idle="1s")}, set()),
        ({"c.py": THREADS + "max_requests_jitter = 200\n", "n.conf": NGINX.format(kept=64, idle="1s")}, set()),
        (
            {"c.py": THREADS + "max_requests_jitter = 200\n", "n.conf": NGINX.format(kept=2000, idle="1m")},
            {"limit-below-connections", "proxy-keeps-longer"},
        ),
        (
            {"c.py": THREADS + "max_requests_jitter = 200\nkeepalive = 75\n", "n.conf": NGINX.format(kept=9, idle=60)},
            set(),
        ),
        ({"a.service": "[Service]\nExecStart=gunicorn --graceful-timeout 60 a\nTimeoutStopSec=1min\n"}, set()),
        (
            {"a.service": "[Service]\nExecStart=gunicorn --graceful-timeout 61 a\nTimeoutStopSec=1min\n"},
            {"stop-timeout"},
        ),
        ({"a.service": "[Service]\nExecStart=gunicorn --graceful-timeout 120 a\n"}, {"stop-timeout"}),
    ],
)
def test_each_warning_speaks_where_it_is_meant_and_nowhere_else(
    tmp_path: Path, files: dict[str, str], warned: set[str]
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    told = read_all([str(tmp_path / name) for name in files])
    warnings = answer(told, release="27.0.1", proxy=None).warnings
    assert {one.id for one in warnings} == warned
    for one in warnings:
        assert (ROOT / one.shown_by.partition(":")[0]).is_file(), "the run that shows it is in the repository"


def test_every_warning_is_shown_by_a_run() -> None:
    assert all((ROOT / shown_by.partition(":")[0]).is_file() for _, shown_by in RULES.values())


UNIT = """\
[Unit]
Description=app
[Service]
WorkingDirectory=/srv/app
ExecStart=/srv/venv/bin/gunicorn \\
    --workers 3 --threads=4 -k gthread \\
    --bind unix:/run/app.sock --max-requests 1000 mysite.wsgi:application
TimeoutStopSec=5
"""


def test_a_systemd_unit_and_its_socket(tmp_path: Path) -> None:
    told = read_unit(UNIT, tmp_path)
    assert told.settings == {
        "workers": 3,
        "threads": 4,
        "worker_class": "gthread",
        "bind": ["unix:/run/app.sock"],
        "max_requests": 1000,
    }
    assert told.stop_timeout_s == 5
    assert read_unit("[Socket]\nListenStream=/run/x.sock\n", tmp_path).settings == {"bind": ["unix:/run/x.sock"]}


@pytest.mark.parametrize(
    "line",
    [
        'CMD ["gunicorn", "-w", "2", "--threads", "4", "--max-requests=10", "-b", "0.0.0.0:80", "app:app"]',
        'CMD ["sh", "-c", "exec gunicorn -w2 --threads 4 --max-requests 10 -b 0.0.0.0:80 app:app"]',
        "CMD exec gunicorn -w 2 --threads 4 --max-requests 10 -b 0.0.0.0:80 app:app",
        'ENTRYPOINT ["python", "-m", "gunicorn"]\nCMD ["-w2", "--threads=4", "--max-requests=10", "-b0.0.0.0:80"]',
    ],
)
def test_a_dockerfile(line: str, tmp_path: Path) -> None:
    told = read_dockerfile(f"FROM python:3\nRUN pip install gunicorn\n{line}\n", tmp_path)
    assert told.settings == {"workers": 2, "threads": 4, "max_requests": 10, "bind": ["0.0.0.0:80"]}


def test_nginx_and_all_together(tmp_path: Path) -> None:
    nginx = "upstream app { server unix:/run/app.sock fail_timeout=0; keepalive 16; }\nserver { listen 80;\n"
    nginx += "location / { proxy_pass http://app; proxy_http_version 1.1; } }\n"
    told = read_nginx(nginx)
    assert (told.proxy, told.proxy_keepalive, told.settings) == ("nginx", True, {"bind": ["unix:/run/app.sock"]})
    (tmp_path / "site.conf").write_text(nginx)
    (tmp_path / "gunicorn.conf.py").write_text("threads = 4\nmax_requests = 5\nworkers = 2\n")
    (tmp_path / "app.service").write_text("[Service]\nExecStart=/x/gunicorn -c gunicorn.conf.py --workers 7 app:app\n")
    both = read_all([str(tmp_path / "site.conf"), str(tmp_path / "app.service")])
    assert both.settings == {"bind": ["unix:/run/app.sock"], "threads": 4, "max_requests": 5, "workers": 7}
    assert both.sources == ("site.conf", "app.service")
    assert answer(both, release="23.0.0", proxy=None).proxy == "nginx"


def test_the_nearest_release_without_it() -> None:
    assert find_free("23.0.0", "gthread", "h2o", "unix") == "27.0.1"
    assert find_free("24.0.0", "sync", "h2o", "unix") == "24.1.0"
    assert find_free("27.0.1", "tornado", "h2o", "unix") is None
    assert find_shown("19.6.0", "gthread", "nginx", "tcp")[1] == "tried over TCP without a proxy, not behind nginx"


def test_rates_have_exact_intervals_and_words() -> None:
    rate = make_rate(10, 1000, 4)
    assert (rate["per_request"], rate["per_restart"]) == (0.01, 2.5)
    interval: Any = rate["interval_95"]
    low, high = interval
    assert 0.0048 < float(str(low)) < 0.0049
    assert 0.0183 < float(str(high)) < 0.0184
    assert words_of_rate(rate, 1000).endswith("with max_requests 1,000 that is about 1 in 400")
    assert "none of 1,000 requests was lost (at most 1 in 270)" in words_of_rate(make_rate(0, 1000, 4), 10)


def test_what_was_tried_stands_beside_what_was_not() -> None:
    advice = _advise('bind = "unix:/x"\nthreads = 4\nmax_requests = 9\n')
    rate = make_rate(10, 1000, 4)
    tried = (
        {"change": "as it is", "remedy": "", "verdict": "violated", "findings": ["failed-responses"], "rate": rate},
        {"change": "x", "remedy": "sync", "verdict": "holds", "findings": [], "rate": make_rate(0, 900, 4)},
    )
    advice = Advice(**{name: getattr(advice, name) for name in Advice.__slots__} | {"tried": tried})
    rows = {row[0]: row for row in table(advice)}
    assert rows["as it is"][2] == "violated: failed-responses"
    assert rows["worker_class = 'sync' and threads = 1"][2] == "holds"
    assert rows["max_requests = 0"][2] == "not tried"
    mitigations: Any = advice.to_json()["mitigations"]
    (sync,) = (one for one in mitigations if one["id"] == "sync")
    assert (sync["tried"], sync["verdict"], sync["rate_before"]["failed"], sync["rate_after"]["failed"]) == (
        True,
        "holds",
        10,
        0,
    )
    for page in (render_markdown(advice), render_html(advice)):
        assert "1.00% (0.48% to 1.83%)" in page


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["advise"]) == 2
    Path("gunicorn.conf.py").write_text('bind = "unix:/run/x.sock"\nthreads = 4\nmax_requests = 1000\n')
    capsys.readouterr()
    assert main(["advise", "--release", "23.0.0", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said == json.loads(Path("runs/advice.json").read_text())
    assert (said["affected"], said["findings"][0]["id"]) == (True, "failed-responses")
    assert said["findings"][0]["rate"]["interval_95"]
    assert {"change", "tried", "verdict", "rate_before", "rate_after"} <= set(said["mitigations"][0])
    assert Path("runs/advice.html").exists()
    assert Path("runs/advice.md").exists()
    assert main(["advise", "--release", "23.0.1"]) == 2
    assert "did you mean 23.0.0?" in capsys.readouterr().err


BOMB = "workers = 9\n" + "workers = workers * workers\n" * 60
HOSTILE = {
    "a zero byte": "workers = 2\0",
    "not text": "\udcff\udcfe",
    "nested deeply": "workers = " + "(" * 5000 + "1" + ")" * 5000,
    "a sum of very many": "workers = 1" + " + 1" * 20_000,
    "a division by zero": "workers = 1 // 0",
    "a number of another kind": "workers = int('x' * 3)\nthreads = min(1, 'a')\nmax_requests = int([1])",
    "a bomb": BOMB,
    "a long text": "bind = 'x'\n" + "bind = bind + bind\n" * 40,
    "digits that are no number": "workers = '²'\nthreads = '٣'\nmax_requests = '²'",
    "numbers that no number is": "workers = 1e999\nthreads = -1\nmax_requests = 10**400\ntimeout = float('nan')",
    "values of other types": "bind = 7\nworkers = ['x']\nthreads = None\nworker_class = 3\nmax_requests = b'x'",
    "lists in lists": "bind = [[['x']], 1, None]\nworker_class = ['sync']",
}


@pytest.mark.parametrize("name", ["gunicorn.conf.py", "Dockerfile", "a.service", "nginx.conf"])
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_settings_are_refused_or_not_read(
    tmp_path: Path, name: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_text(text, errors="surrogateescape")
    assert main(["advise", str(tmp_path / name), "--out", str(tmp_path)]) in (0, 2)
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.service", "ExecStart=/usr/bin/gunicorn 'app:app\n"),
        ("Dockerfile", "CMD gunicorn 'app:app\n"),
        ("Dockerfile", 'CMD ["sh", "-c", "gunicorn \'app"]\n'),
        ("gunicorn.conf.py", "#" * 300_000),
    ],
)
def test_what_can_t_be_read_is_wrong_usage(
    tmp_path: Path, name: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_text(text)
    assert main(["advise", str(tmp_path / name), "--out", str(tmp_path)]) == 2
    assert len(capsys.readouterr().err.splitlines()) <= 2


def test_a_command_line_may_be_longer_than_the_name_of_a_file(tmp_path: Path) -> None:
    said = "gunicorn --workers 3 --max-requests 100 " + "--env A=b " * 60 + "app:app"
    assert read_all([said]).settings["workers"] == 3
    assert read_said(said, tmp_path).arguments[:2] == ("--workers", "3")
    with pytest.raises(UsageError, match="No closing quotation"):
        read_all(["gunicorn 'app:app"])


def test_numbers_that_only_look_like_some_are_none() -> None:
    assert "workers" not in read_all(["gunicorn --workers ² app:app"]).settings


@pytest.mark.parametrize(
    ("verdict", "seen", "failed", "words"),
    [
        ("holds", {}, 0, "safe"),
        ("violated", {"recycled-late": 2}, 0, "safe, late"),
        ("violated", {"recycled-late": 2}, 9, "unknown, late"),
        ("violated", {"socket-left-behind": 2}, 0, "safe"),
        ("violated", {"worker-crashed": 2}, 0, "unknown"),
        ("violated", {"max-requests-ignored": 2, "recycled-late": 1}, 0, "no restarts"),
        ("inconclusive", {}, 0, "unknown"),
    ],
)
def test_the_page_calls_safe_only_what_lost_nothing(
    verdict: str, seen: dict[str, int], failed: int, words: str
) -> None:
    shown = Shown(
        release="1",
        worker="sync",
        proxy="h2o",
        bind="unix",
        released="",
        verdict=verdict,
        runs=((20, 1000, failed),),
        seen=seen,
    )
    assert say(shown) == words
