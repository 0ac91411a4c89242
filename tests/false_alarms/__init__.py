"""Disturbances of a release that loses nothing: how often the harness says that it does."""
