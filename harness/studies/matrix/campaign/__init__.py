"""Runs a matrix: cells side by side, each in a process of its own, resumable, with one record a run.

The cells, and what they add up to, are decided in ``matrix``; how a table looks in ``report``. In here are processes,
folders and the clock.
"""
