"""What is started: gunicorn, the reverse proxies and the load generators, each as a command and its log lines."""
