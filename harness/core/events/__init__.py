"""The events of a run: one frozen class for each kind, used by the watchers, by the judge and by the live state.

``base`` has what all events have in common; ``course``, ``servers`` and ``clients`` have the kinds; ``parsing`` turns a
line of ``events.jsonl`` back into an event. A new kind is a class in one of the three and a row in ``parsing.KINDS``;
`make events` writes it into ``docs/events.md``.
"""
