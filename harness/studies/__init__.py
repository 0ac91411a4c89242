"""Experiments that are made of many runs: the matrix over releases, and the scenarios."""
