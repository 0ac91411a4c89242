"""What all other packages use: the vocabulary, errors, time, paths, locks, signals. It knows nothing of gunicorn."""
