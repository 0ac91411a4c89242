"""`harness diff`: two matrices, or two runs, and what differs between them beyond chance.

``comparison`` is pure; ``sources`` reads what the user names; ``report`` renders.
"""
