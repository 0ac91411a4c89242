"""What every other room stands on: the vocabulary, errors, time, paths, locks, signals. Nothing here knows gunicorn."""
