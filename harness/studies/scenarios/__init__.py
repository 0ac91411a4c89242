"""The other experiments: one small module each, one row each in ``SCENARIOS``.

A scenario says which runs it is made of, its arms; ``runner`` makes them one after the other and keeps the record,
and ``judge.scenarios`` judges it. The record is a run's folder like any other,
``runs/<UTC time>-scenario-<name>-<cell id>/``, with the files that the contract names, so `harness judge`, `harness
report` and `harness bundle` work on it. Its ``events.jsonl`` holds the events of all arms (see
``judge.scenarios.record``); each arm's own run, with its logs, configuration and ``reproduce.sh``, lies below it in
``arms/``, and can be judged and reported by itself.

To add a scenario, add one file and one row here, and one of each to ``judge.scenarios``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import Protocol

from harness.studies.scenarios import jitter, leak, tcp
from harness.studies.scenarios.runner import ScenarioPlan


class Scenario(Protocol):
    """What the command line asks of a scenario's module."""

    SUMMARY: str
    """One line for --help."""

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """SPEC and all options; see ``options.add_run_options``, which takes the scenario's own defaults."""

    def run(self, options: argparse.Namespace, conduct: Callable[[ScenarioPlan], int]) -> int:
        """Make the experiment; returns the exit code.

        ``conduct`` runs a plan, prints its verdict and returns the exit code; an answer without a run is printed here.

        Raises:
            UsageError: the options contradict each other.
        """


SCENARIOS: Mapping[str, Scenario] = {"leak": leak, "jitter": jitter, "tcp": tcp}
"""By the NAME of `harness scenario NAME`."""
