"""One environment for many processes: taken from its place, or built by one while the others wait.

Everybody who uses an environment holds a shared lease on it, and whoever builds it the exclusive one. Which
environment, and what is in it, was decided before (``building.Plan``).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.core import locks
from harness.core.files import replace_file
from harness.core.locks import Lease
from harness.provision import build
from harness.provision.build import BuildPlan
from harness.provision.installer import WrongPythonError


@dataclass(frozen=True, slots=True, kw_only=True)
class Obtained:
    """A finished environment's facts, as its mark tells them, and the lease that keeps it."""

    facts: Mapping[str, Any]
    built: bool  # by this call
    lease: Lease


def obtain(plan: BuildPlan, say: Callable[[str], None]) -> Obtained:
    """An environment under a shared lease: as it is there, else built. WrongPythonError also from an earlier try."""
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
        lease.close()  # somebody cleaned up in between: once more


def _build_if_missing(plan: BuildPlan, lease: Lease, say: Callable[[str], None]) -> bool:
    """Build under the exclusive lease unless another process was faster; the lease is given back on failure."""
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
