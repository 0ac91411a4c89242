"""The site: docs/ and the stored results as static pages, made by Sphinx: ``make site``.

``tables`` reads the stored results, ``strips`` the timelines of their runs, ``records`` makes the pages of the records
that are at hand, ``pages`` writes the Markdown that Sphinx (``conf.py``) reads beside docs/.
"""
