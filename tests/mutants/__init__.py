"""Small patches on real gunicorn releases, each with what the harness must say: the test of the judge itself."""
