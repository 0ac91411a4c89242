"""The watchers: each looks on by itself and writes what it sees into one event sink. None of them judges."""
