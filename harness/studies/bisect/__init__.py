"""Which change brought or repaired a finding, releases first, then commits, even where it only sometimes shows.

``history``, ``rates``, ``posterior``, ``search`` and ``conduct`` are the search, which is pure: it is told what the
runs showed. The other modules run the harness, read a git repository, and keep and report the result.
"""
