"""Many cells: selects them, combines their runs, compares them with what is expected, and finds where faults began.

The functions are pure: they turn names, records and expectations into tables. ``campaign`` handles files, processes and
the clock; ``report`` renders a table.
"""
