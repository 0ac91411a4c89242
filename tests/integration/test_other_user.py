"""As root, gunicorn under test is another user, who sees and changes nothing that it has not been given."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from harness.backends.local.other_user import LaunchChannel, plan_view, render_launch
from tests.integration.stubs import command, environ, make_wheel, run_harness

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can turn into another user")

UID = 60998
UNSHARE = shutil.which("unshare") or ""
QUICK = ("--worker", "sync", "--workers", "1", "--max-requests", "50", "--recycles", "2", "--duration", "2")
HERE = ("--proxy", "none", "--load", "httpx", "--connections", "4")


def look(view_of: Path, *argv: str, **variables: str) -> str:
    """What a program says as the other user who needs ``view_of``; or why it can't be started."""
    with closing(LaunchChannel()) as channel:
        launch = render_launch(plan_view(UID, [view_of]), argv, tell=channel.tell)
        pipes: dict[str, Any] = {"pass_fds": (channel.tell,), "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with subprocess.Popen(launch, cwd="/", env=variables, **pipes) as process:
            why_not = channel.read()
            said, _ = process.communicate()
    return said.decode() if why_not is None else why_not


@pytest.fixture
def views(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A place where a view can be made: it needs a mount namespace of its own, which a bare chroot does not give."""
    closed = tmp_path_factory.mktemp("closed")
    (closed / "inside").mkdir()
    closed.chmod(0o700)
    if why_not := look(closed / "inside", "/bin/true"):
        pytest.skip(f"no other user can be had here: {why_not}")


@pytest.mark.usefixtures("views")
def test_it_has_no_right_of_root_and_sees_of_a_closed_folder_what_it_needs(tmp_path: Path) -> None:
    for name in ("needed", "secret"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(f"{name}\n")
    files = f"{tmp_path}/needed/file {tmp_path}/secret/file"
    said = look(tmp_path / "needed", "/bin/sh", "-c", f"id -u; id -G; cat {files}; ls {tmp_path}")
    assert said.split() == [str(UID), str(UID), "needed", "needed"]
    assert (tmp_path / "secret" / "file").exists()  # nobody else's view has changed


def test_environment_and_signals_are_handed_on_as_they_are() -> None:
    files = "/proc/self/environ", "/proc/self/status"
    environment, _, status = look(Path("/usr"), "/bin/cat", *files, A="1", LC_ALL="C").rpartition("\0")
    assert sorted(environment.split("\0")) == ["A=1", "LC_ALL=C"]
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    own = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
    ignored = int(own["SigIgn"], 16) & ~sum(1 << number - 1 for number in (signal.SIGPIPE, signal.SIGXFSZ))
    assert int(fields["SigIgn"], 16) == ignored
    assert (fields["CapEff"], fields["NoNewPrivs"]) == ("0" * 16, "1")


def test_why_a_program_can_not_be_started_is_heard(tmp_path: Path) -> None:
    assert "No such file" in look(Path("/usr"), "/usr/bin/there-is-none")
    closed = tmp_path / "closed"
    closed.touch(mode=0o600)
    assert "Permission denied" in look(Path("/usr"), str(closed))


@pytest.mark.usefixtures("views")
def test_gunicorn_is_not_root_unless_it_is_asked_for(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "good")
    ran = run_harness(tmp_path / "runs", "reproduce", wheel, *QUICK, *HERE)
    facts = json.loads((tmp_path / "runs" / "latest" / "facts.json").read_text())
    uid = facts["gunicorn"]["user"]["uid"]
    assert ran.verdict["verdict"] in ("holds", "violated"), ran.out + ran.err
    assert uid not in (0, 65534)
    assert any(str(uid) in str(one) for one in facts["deviations"])
    owners = {path.lstat().st_uid for path in (tmp_path / "runs" / "latest").resolve().rglob("*")}
    assert owners == {0}
    run_harness(tmp_path / "runs", "reproduce", wheel, *QUICK, *HERE, "--as-root")
    facts = json.loads((tmp_path / "runs" / "latest" / "facts.json").read_text())
    assert facts["gunicorn"]["user"] == {"uid": 0, "why": "--as-root was given"}


@pytest.mark.skipif(not UNSHARE, reason="unshare is not here")
def test_where_no_other_user_can_be_had_it_goes_on_and_says_so(tmp_path: Path) -> None:
    """Root of a user namespace with one user."""
    run = command("reproduce", make_wheel(tmp_path, "good"), *QUICK, *HERE, "--out", tmp_path / "runs")
    done = subprocess.run(
        [UNSHARE, "--user", "--map-root-user", *run], capture_output=True, text=True, check=False, env=environ()
    )
    if "unshare" in done.stderr:
        pytest.skip("no user namespace can be made here")
    verdict = json.loads((tmp_path / "runs" / "latest" / "verdict.json").read_text())
    assert verdict["verdict"] in ("holds", "violated"), done.stdout + done.stderr
    assert "gunicorn runs as root: no other user can be had here" in done.stdout
