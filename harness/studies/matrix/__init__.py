"""Many cells: which ones, what they add up to, what was expected of them, and where a fault came and went.

Pure: names, records and expectations in, tables out. Files, processes and the clock belong to ``campaign``; how a
table looks belongs to ``report``.
"""
