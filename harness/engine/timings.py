"""How long a run waits, in one place; a test uses shorter times."""

from __future__ import annotations

from harness.core.frozen import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Upper bounds and pauses of one run, in seconds unless the name has another unit."""

    boot_s: float = 20.0
    """For gunicorn's first answer."""

    fork_s: float = 0.1
    """The arbiter waits up to so long between two forks."""

    fleet_still_s: float = 5.0
    """Where no further worker has come or got ready for so long, and ..."""

    fleet_boots: int = 5
    """... for so many of the app's boot times, the rest of them won't: side by side they are slower than the first."""

    fleet_worker_s: float = 1.0
    """So long, for each worker, on top of ``boot_s``, all of them may take at most."""

    proxy_s: float = 10.0
    """For the proxy to listen."""

    proxy_errors_s: float = 1.0
    """How long a proxy that listens may answer with errors before the set-up counts as broken."""

    tick_s: float = 0.01
    """How often the load and the settle phase check the processes."""

    short_tick_s: float = 0.002
    """How often they do once the path is gone, or the load was told to end: a load that counts would suffer."""

    load_grace_s: float = 10.0
    """A load ends by itself when its duration is over; wrk looks every 0.1 s; httpx takes a second or more to
    start on a busy machine, and waits up to 2 s for the last answers."""

    settle_s: float = 10.0
    """How long a service may take to come back to full number and to answer again, beside its boots: gunicorn spawns a
    missing worker within a second."""

    settle_boots: int = 2
    """How many of the app's boot times a service may take in addition: all workers may boot at once, and are then
    slower than the first one that answered."""

    steady_s: float = 0.1
    """How long the same workers must have lived, with none about to end, before the service counts as settled."""

    linger_s: float = 3.5
    """How long the probes through the proxy pause. Connections that the proxy holds open to gunicorn may be answered
    although the path is gone; without requests gunicorn closes them after keepalive (2 s), which it checks once a
    second."""

    stray_s: float = 1.0
    """How long a process may be without a living worker that it belongs to: it may be about to end."""

    left_s: float = 1.0
    """How long a process may outlive its arbiter's ordered end: one that was killed needs a moment."""

    stop_boots: int = 2
    """How many of the app's boot times workers that are still booting get before the arbiter is told to end."""

    stop_late_s: float = 1.0
    """How much longer than graceful_timeout an ordered end may take."""

    stop_spare_s: float = 0.5
    """So much longer it is waited for: to see an end that comes late cost a look and the harness's own time."""

    ladder_period_s: float = 0.05
    """Between the begins of two requests while the ladder back is climbed, as of the prober."""

    ladder_wait_s: float = 3.0
    """The first rung: what does not come back in so long, after a settle phase in vain, has an outage."""

    ladder_boot_s: float = 5.0
    """What a rung starts may take so long, and ..."""

    ladder_boots: int = 5
    """... so many of the app's boot times."""

    ladder_answers_s: float = 1.5
    """So much longer for the answers that show it to be healed."""


TIMINGS = Timings()
"""Those of every real run."""
