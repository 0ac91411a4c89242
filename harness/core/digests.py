"""SHA-256 without OpenSSL's library, as the standard library's ``random`` does it: that takes 8 ms to load.

A run needs one digest, of a few hundred bytes, to find its environment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = ["sha256"]

if TYPE_CHECKING:
    from hashlib import sha256
else:
    try:
        from _sha2 import sha256  # from Python 3.12 on
    except ImportError:
        try:
            from _sha256 import sha256
        except ImportError:  # a Python that was built with OpenSSL's alone
            from hashlib import sha256
