"""`python -m harness`."""

from harness.cli.start import run

run()
