"""The settings of Sphinx. Nothing of a page comes from a network: the theme and its scripts are files beside it."""

from __future__ import annotations

project = "recycle-harness"
extensions = ["myst_parser"]
html_theme = "furo"
html_title = "recycle-harness"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_js_files = ["cells.js", "safe.js"]
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
myst_heading_anchors = 4
myst_enable_extensions = ["attrs_block"]
pygments_style = "default"
pygments_dark_style = "github-dark"
exclude_patterns = ["extra"]  # the pages of records, which are finished
