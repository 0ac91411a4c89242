"""Renderings of a stored run, a module each; ``formats`` has the table of them.

They read ``verdict.json``, ``facts.json`` and the run's folder, never live objects, so that a stored run or an
attachment can be rendered on a machine without gunicorn, proxy or load generator.
"""
