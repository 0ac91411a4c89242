"""How sure a count can make us: intervals, the difference of two rates, tests that may be looked at after every run.

The functions are pure and know nothing of cells and releases. No library is needed, so that every reader of a stored
matrix computes the same.
"""
