"""Keeps ``releases.toml`` true: compares it with the package index, and its claims with what really starts.

For whoever maintains the project, as ``python -m maintenance.catalogue``; a run of the harness never comes in here.
"""
