"""The events of a run: one frozen class a kind, used by whoever emits, by the judge and by the live state.

``base`` has what all have in common, ``course``, ``servers`` and ``clients`` the kinds, and ``parsing`` turns a line of
``events.jsonl`` back into one. A new kind is a class in one of the three and a row in ``parsing.KINDS``; `make events`
writes it into ``docs/events.md``.
"""
