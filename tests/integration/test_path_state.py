"""Single looks at processes and paths of this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.watch.path_state import list_family, list_processes, look_at_path, read_rights

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux")
NOBODY = 65534


def test_a_path_that_is_not_there_has_no_rights(tmp_path: Path) -> None:
    look = look_at_path(tmp_path / "gone", "snapshot")
    assert (look.inode, look.mode, look.folders) == (None, None, None)


def test_the_folders_on_the_way_are_named_from_the_root_on(tmp_path: Path) -> None:
    (tmp_path / "file").touch(0o640)
    look = look_at_path(tmp_path / "file", "snapshot")
    assert look.folders is not None
    assert [folder[0] for folder in look.folders] == [str(one) for one in reversed((tmp_path / "file").parents)]
    assert look.owner == (os.geteuid(), os.getegid())


def test_a_process_that_nobody_has_has_no_rights() -> None:
    assert read_rights(2**22 + 1) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can turn into another user")
def test_of_a_proxy_the_process_counts_that_may_the_least() -> None:
    becomes = f"os.setgroups([7]); os.setgid({NOBODY}); os.setuid({NOBODY})"
    script = f"import os, sys; {becomes}; print(flush=True); sys.stdin.read()"
    outer = f"import subprocess, sys; subprocess.call([sys.executable, '-c', {script!r}])"
    with subprocess.Popen([sys.executable, "-c", outer], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        rights = read_rights(process.pid)
        process.communicate()
    assert rights is not None
    assert (rights.uid, rights.groups, rights.overrides) == (NOBODY, (NOBODY, 7), False)
    ours = read_rights(os.getpid())
    assert ours is not None
    assert ours.uid == 0


def test_a_child_is_of_the_family_and_one_that_lost_its_parent_still_of_the_session() -> None:
    script = "import os, sys, time\nif os.fork() and os.fork():\n    print(flush=True); sys.stdin.read()\n"
    script += "elif os.fork():\n    os._exit(0)\nelse:\n    time.sleep(20)\n"
    leader = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        assert leader.stdout is not None
        leader.stdout.readline()
        family = list_family(leader.pid)
        everybody = list_processes(leader.pid, family)
    finally:
        os.killpg(leader.pid, 9)
        leader.communicate()
    assert next(pid for pid, _, _ in family) == leader.pid
    assert len({pid for pid, _, _ in everybody.live}) == len(everybody.live) >= 3
    assert all(name for _, _, name in everybody.live)
