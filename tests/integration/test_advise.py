"""What `harness advise` warns of is so on a real release."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.stubs import needs_tools, run_harness

pytestmark = needs_tools
THREADS = 'bind = "unix:/run/x.sock"\nworkers = 2\nthreads = 4\nmax_requests = 60\n'


@pytest.mark.waits
def test_reuse_port_on_a_unix_socket_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "conf.py").write_text(THREADS + "reuse_port = True\n")
    ran = run_harness(tmp_path / "runs", "reproduce", "23.0.0", "--settings", tmp_path / "conf.py")
    assert ran.verdict["verdict"] == "unrunnable", ran.out + ran.err
