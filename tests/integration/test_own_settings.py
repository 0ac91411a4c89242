"""A user's own settings and app on a real release: what is run, what is replaced, and what can't be read."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from tests.integration.stubs import command, environ, needs_tools

pytestmark = needs_tools
RELEASE = "23.0.0"
APP = "def app(environ, start):\n    start('200 OK', [('Content-Length', '4')])\n    return [b'mine']\n"
SETTINGS = """\
import os
import shop  # from the folder that we are in

wsgi_app = "shop:app"
bind = "unix:/run/shop/gunicorn.sock"
workers = 2
threads = 3
max_requests = 60
keepalive = 7
timeout = 44
daemon = True
pidfile = "/run/shop.pid"
user = "no-such-user"
folder = os.path.dirname(__file__)


def post_fork(server, worker):
    server.log.info("keepalive %s timeout %s in %s", server.cfg.keepalive, server.cfg.timeout, folder)
"""


def run_in(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    here = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        command("reproduce", *arguments, "--out", folder / "runs"),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=environ(PYTHONPATH=here, **variables),
    )


def test_the_users_settings_are_run_and_what_is_replaced_is_told(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(APP)
    (tmp_path / "conf.py").write_text(SETTINGS)
    options = ("--duration", "2", "--recycles", "4", "--connections", "20", "--workers", "3")
    done = run_in(tmp_path, RELEASE, "--settings", "conf.py", *options, GUNICORN_CMD_ARGS="--keep-alive 9")
    latest = tmp_path / "runs" / "latest"
    verdict = json.loads((latest / "verdict.json").read_text())
    cell = verdict["cell"]
    assert (cell["worker"], cell["workers"], cell["threads"], cell["max_requests"]) == ("gthread", 3, 3, 60), (
        done.stderr
    )
    assert cell["app"] == "shop:app"
    assert verdict["counts"]["statuses"]["200"] > 0
    assert f"keepalive 9 timeout 44 in {tmp_path}" in (latest / "logs" / "gunicorn.error.log").read_text()
    rows = {row["setting"]: row for row in json.loads((latest / "facts.json").read_text())["settings"]}
    assert (rows["workers"]["yours"], rows["workers"]["run_with"]) == ("2", "3")
    assert (rows["keepalive"]["yours"], rows["keepalive"]["why"]) == ("9", "as in GUNICORN_CMD_ARGS")
    assert rows["user"]["yours"] == "'no-such-user'"
    assert all(rows[name]["run_with"] != rows[name]["yours"] for name in ("bind", "daemon", "pidfile", "user"))
    for report in ("report.md", "report.html"):
        assert "--workers was given" in (latest / report).read_text()
    assert not Path("/run/shop.pid").exists()


def test_settings_that_gunicorn_cannot_read_are_told_in_its_words(tmp_path: Path) -> None:
    (tmp_path / "conf.py").write_text("import nothing_of_this_name\nworkers = 2\n")
    done = run_in(tmp_path, RELEASE, "--settings", "conf.py")
    assert done.returncode == 5, done.stdout + done.stderr
    assert "No module named 'nothing_of_this_name'" in done.stdout
    assert "--with-requirements" in done.stdout
