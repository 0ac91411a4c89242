"""What is started: gunicorn, the reverse proxies and the load generators, each with its command and its log lines."""
