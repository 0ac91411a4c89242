"""A regression test harness for gunicorn worker recycling behind a reverse proxy."""
