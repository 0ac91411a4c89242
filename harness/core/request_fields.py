"""What a request may be made of, as types for argparse: path, method, header, status."""

from __future__ import annotations

import argparse
import re

from harness.core.patterns import pattern

_HEADER = pattern(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?)?[ \t]*")
_OURS = {"content-length", "transfer-encoding", "connection", "x-request-id"}


def parse_path(text: str) -> str:
    """A type for argparse: what stands in a request line."""
    if not re.fullmatch(r"/[\x21-\x7e]*", text) or "#" in text:
        raise argparse.ArgumentTypeError(f"{text!r} is not a path that begins with / and has no blanks")
    return text


def parse_method(text: str) -> str:
    """A type for argparse: a method with which one connection can carry many requests."""
    if not re.fullmatch(r"[A-Z]{2,20}", text) or text in ("CONNECT", "HEAD", "TRACE"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a method such as GET, POST, PUT, PATCH, DELETE or OPTIONS")
    return text


def parse_header(text: str) -> str:
    """A type for argparse: ``Name: value``; several in lines."""
    for line in text.splitlines() or [""]:
        found = _HEADER.fullmatch(line)
        if found is None or found[1].lower() in _OURS:
            raise argparse.ArgumentTypeError(f"{line!r} is not 'Name: value', or one that the clients set themselves")
    return text


def parse_status(text: str) -> int:
    """A type for argparse: a status that an app answers when all is well."""
    if not re.fullmatch(r"[234]\d\d", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a status between 200 and 499")
    return int(text)
