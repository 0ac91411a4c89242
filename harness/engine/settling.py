"""The settle phase: after the load, the service gets time to come back to its full number of workers and to answer."""

from __future__ import annotations

from harness.core.clock import now_ns
from harness.core.signals import pause
from harness.engine.pulse import watch_pulse
from harness.engine.running_stack import Stack
from harness.judge.outage import ENOUGH_PROBES


def settle(stack: Stack, *, boot_s: float) -> None:
    """Wait until the service has recovered, or clearly won't recover, or its time is over.

    ``boot_s``: from gunicorn's start to its first answer; it lengthens that time, see ``Timings.settle_boots``.
    """
    timings, progress = stack.timings, stack.progress
    started_ns = since_ns = now_ns()
    stack.watchers.hurry_probes()  # after the time from which they count
    while (now_ns() - started_ns) / 1e9 < timings.settle_s + timings.settle_boots * boot_s:
        watch_pulse(stack)
        if _has_settled(stack, since_ns):
            return
        if since_ns == started_ns and progress.deleted_ns and any(progress.probes_since(since_ns, "proxy")):
            stack.watchers.pause_probes("proxy", timings.linger_s)
            since_ns += int(timings.linger_s * 1e9)
        stack.run.say(f"settling: {progress.live_workers} of {stack.cell.workers} workers live")
        pause(timings.tick_s if progress.deleted_ns is None else timings.short_tick_s)


def _has_settled(stack: Stack, started_ns: int) -> bool:
    progress = stack.progress
    ways = ["direct"] + ([] if stack.proxy is None else ["proxy"])
    probes = [progress.probes_since(started_ns, way) for way in ways]
    if any(len(way) < ENOUGH_PROBES for way in probes):
        return False
    if progress.arbiter_ended or stack.masters.is_left_down:
        return not any(ok for way in probes for ok in way)
    if progress.live_workers != stack.cell.workers or progress.steady_s < stack.timings.steady_s:
        return False
    if all(all(way[-ENOUGH_PROBES:]) for way in probes):
        return True
    return progress.deleted_ns is not None and not any(ok for way in probes for ok in way)
