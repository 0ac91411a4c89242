"""What a missing module means: which one a traceback names, and whether Python itself once had it.

A release that wants a module which this Python dropped can't run here; any other missing module is a gap in the
environment. The answers come from text and a table, so nothing is imported to find out.
"""

from __future__ import annotations

import re

from harness.core.patterns import pattern
from harness.provision.releases import Minor, parse_minor

_MISSING = pattern(r"^(?:ModuleNotFoundError|ImportError): No module named '?(?P<module>[\w.]+)'?", re.MULTILINE)

_REMOVED_IN: dict[Minor, str] = {
    (3, 0): "BaseHTTPServer ConfigParser Cookie HTMLParser Queue SimpleHTTPServer SocketServer StringIO __builtin__ "
    "cPickle cStringIO cookielib commands copy_reg dummy_thread htmlentitydefs httplib md5 new popen2 robotparser sets "
    "sha thread urllib2 urlparse xmlrpclib",
    (3, 8): "macpath",
    (3, 9): "_dummy_threading dummy_threading",
    (3, 10): "formatter parser symbol",
    (3, 11): "binhex",
    (3, 12): "asynchat asyncore distutils imp smtpd",
    (3, 13): "aifc audioop cgi cgitb chunk crypt imghdr lib2to3 mailcap msilib nis nntplib ossaudiodev pipes sndhdr "
    "spwd sunau telnetlib uu xdrlib",
}
"""By the Python that came without them; from the "Removed" sections of the release notes of each Python."""


def missing_module(stderr_text: str) -> str | None:
    """The module that the last import error in a text names ("gunicorn.six.moves"), or None where there is none."""
    found = None
    for match in _MISSING.finditer(stderr_text):
        found = match["module"]
    return found


def was_in_stdlib(module: str, python_version: str) -> bool:
    """Whether a module (or the package it is in) left the standard library with this Python or before.

    ``python_version`` is a full version such as "3.12.1".
    """
    top = module.split(".", maxsplit=1)[0]
    here = parse_minor(python_version)
    return any(here >= removed_in and top in names.split() for removed_in, names in _REMOVED_IN.items())
