"""The catalogue's claims, tried: each worker class starts and answers on one release that has it."""

from __future__ import annotations

import pytest

from harness.provision.releases import load_catalogue
from harness.stack.workers import WORKERS
from maintenance.catalogue.__main__ import pythons_here
from maintenance.catalogue.trial import Trial, try_release

# httpcore leaves the socket to the garbage collector where connecting to a path fails, as it does before the bind.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

NEWEST_OF = {"eventlet": "25.3.0"}
NEWEST = "27.0.1"


def _try(release: str, python: str, worker: str) -> Trial:
    if python not in pythons_here():
        pytest.skip(f"there is no Python {python} here")
    return try_release(release, python, worker, say=lambda _line: None)


@pytest.mark.parametrize("worker", WORKERS)
def test_a_worker_class_starts_and_answers(worker: str) -> None:
    trial = _try(NEWEST_OF.get(worker, NEWEST), "3.10", worker)
    assert (trial.claim, trial.failure) == (None, None)


@pytest.mark.parametrize(
    ("release", "python", "worker", "seen"),
    [
        ("18.0", "3.6", "gthread", "started the worker sync"),
        ("20.0.4", "3.10", "eventlet", "is_timeout"),
        (NEWEST, "3.10", "eventlet", "eventlet"),
    ],
)
def test_what_the_catalogue_says_not_to_run_does_not(release: str, python: str, worker: str, seen: str) -> None:
    trial = _try(release, python, worker)
    assert trial.claim is not None
    assert seen in (trial.failure or "it answered")
    assert not trial.surprising


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
@pytest.mark.parametrize("release", ["19.0.0", "19.6.0"])
def test_a_release_runs_on_a_newer_python_with_era_shims(release: str, python: str) -> None:
    trial = _try(release, python, "gthread")
    assert (trial.claim, trial.failure, trial.surprising) == (None, None, False)
    assert {"collections-names", "inspect-getargspec", "asyncio-selectors"} <= set(trial.era_shims)


@pytest.mark.parametrize(
    ("release", "shim"),
    [
        ("0.17.2", "run-by-name"),
        ("0.17.3", "keep-leading-slash"),
        ("19.4.2", "trust-log-files"),
        ("19.7.1", "hide-so-reuseport"),
    ],
)
@pytest.mark.parametrize("worker", ["sync", "gevent"])
def test_a_release_runs_with_its_shim(release: str, shim: str, worker: str) -> None:
    assert load_catalogue().shims_for(release) == (shim,)
    trial = _try(release, "3.6", worker)
    assert (trial.claim, trial.failure) == (None, None)
