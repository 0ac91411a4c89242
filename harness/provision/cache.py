"""Shares one environment between processes: if it is missing, one process builds it while the others wait.

Each process that uses an environment holds a shared lease on it; the process that builds it holds the exclusive one.
Which environment it is, and what is in it, was decided before (``build.BuildPlan``).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from harness.core import locks
from harness.core.files import replace_file
from harness.core.frozen import dataclass
from harness.core.locks import Lease
from harness.provision import build
from harness.provision.build import BuildPlan
from harness.provision.installer import WrongPythonError


@dataclass(frozen=True, slots=True, kw_only=True)
class Obtained:
    """The facts of a finished environment, read from its mark, and the lease that keeps it from being removed."""

    facts: Mapping[str, Any]
    built: bool  # by this call
    lease: Lease


def obtain(plan: BuildPlan, say: Callable[[str], None]) -> Obtained:
    """Return the environment under a shared lease; build it first where it is missing.

    Raises:
        WrongPythonError: the release's metadata exclude this Python, as found now or by an earlier attempt.
        UnrunnableError, SurroundingsError, OSError: as ``build``.
    """
    known = _read_refusal(plan)
    if known is not None:
        raise known

    def tell() -> None:
        say(f"waiting for another run that is building or using {plan.key}")

    while True:
        lease = locks.take_shared(plan.beside("lock"), on_wait=tell)
        facts = build.read_mark(plan.place)
        if facts is not None:
            return Obtained(facts=facts, built=False, lease=lease)
        lease.close()
        lease = locks.take_exclusive(plan.beside("lock"), on_wait=tell)
        built = _build_if_missing(plan, lease, say)
        lease.share()
        facts = build.read_mark(plan.place)
        if facts is not None:
            return Obtained(facts=facts, built=built, lease=lease)
        lease.close()  # another process removed it in between: try again


def _build_if_missing(plan: BuildPlan, lease: Lease, say: Callable[[str], None]) -> bool:
    """Build under the exclusive lease, unless another process was faster; on failure, release the lease."""
    try:
        if build.read_mark(plan.place) is not None:
            return False
        build.build(plan, lock_fd=lease.fd, say=say)
    except WrongPythonError as refusal:
        # What a digest or a release number stands for never changes, nor do its metadata: no need to ask again.
        text = json.dumps({"what": refusal.what, "wants": refusal.wants})
        replace_file(plan.beside("refused"), text)
        lease.close()
        raise
    except BaseException:
        lease.close()
        raise
    return True


def _read_refusal(plan: BuildPlan) -> WrongPythonError | None:
    try:
        known = json.loads(plan.beside("refused").read_bytes())
        return WrongPythonError(what=known["what"], wants=known["wants"])
    except (FileNotFoundError, ValueError, KeyError):
        return None  # never refused, or the file is torn: then the installer says it again
