"""Runs a matrix: cells side by side, each in a process of its own, resumable, with one record a run.

``matrix`` selects the cells and combines their runs; ``report`` renders the table. This package handles processes,
folders and the clock.
"""
