"""A user's own gunicorn settings: what they say, what a run does otherwise and why, and the file that gunicorn gets.

gunicorn itself reads them (``engine.settings_reading``). The functions are pure: they take what it read, and return the
cell that it means, the rows of the table "setting, yours, run with, why", and text.
"""
