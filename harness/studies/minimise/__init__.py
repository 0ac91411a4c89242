"""The smallest settings under which a finding still shows, and which of them are necessary.

``reduction`` and ``weighing`` are the search, which is pure: it is told what the runs showed. ``case`` and ``settings``
say what can be made smaller; the other modules run the harness, and keep and report the result.
"""
