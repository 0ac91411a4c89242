"""A regression test harness for gunicorn worker recycling behind a reverse proxy."""

__version__ = "0.1.0"
