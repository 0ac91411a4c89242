"""Tools for whoever maintains the project; no run of the harness comes in here."""
