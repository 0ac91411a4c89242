"""Runs of releases as they are, many times over: how often the harness is wrong where the truth is known."""
