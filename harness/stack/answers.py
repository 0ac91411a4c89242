"""The answer of the app under test to a request with an id, and whether an answer is the one to its own request.

The app sends the id back as a header and at the end of its text (``fixtures/noted.py``), so that each client can tell
another request's answer, an empty or torn one, and one that lost its headers (that one, or the Content-Type). The same
check stands in ``fixtures/load/wrk.lua``, which knows the ids that its thread has sent, but not which connection
carried which.
"""

from __future__ import annotations

from collections.abc import Iterable

from harness.core.frozen import dataclass
from harness.core.model import Cell, is_error
from harness.core.patterns import pattern

HEADER = b"X-Request-Id"
TEXT = b"Hello World"
TYPE = b"text/html; charset=UTF-8"
"""The app's Content-Type, which no proxy here changes: a header that an answer may lose, or get another one for."""

STATUS = 200
"""The app's status for each request with an id."""

TEXT_VARIABLE = "RECYCLE_HARNESS_ANSWER"
"""The variable that holds TEXT; a load for which it is not set does not check the answers."""

_ANY_BODY = pattern(TEXT + rb" [wpd]\d+")

WRONG_ANSWERS = {
    "headers": "without the headers that the app had set",
    "foreign": "the answer to another request",
    "empty": "an empty body",
    "body": "another body than the app's",
    "status": "another status than the app's",
}
"""The ways in which an answer of success can be wrong, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How one request ended: ``outcome`` is a status or one of ``model.CLIENT_ERRORS``.

    ``by_app``: the app made it, as its headers show. ``wrong``: a key of WRONG_ANSWERS, or None.
    """

    outcome: str
    by_app: bool = False
    wrong: str | None = None


def sends_ids_back(cell: Cell) -> bool:
    """Whether the app of this cell sends back the ids of its requests: not the user's own, and not without a ledger."""
    return cell.ledger and cell.app is None


def make_body(request_id: bytes) -> bytes:
    """What the app answers to the request with this id."""
    return TEXT + b" " + request_id


def read_answer(request_id: bytes | None, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> Answer:
    """Check a complete answer; without an id it can't be compared with its request."""
    if request_id is None:
        return Answer(outcome=str(status))
    lowered = {name.lower(): value for name, value in headers}
    said = lowered.get(HEADER.lower())
    if status != STATUS and body == make_body(request_id):
        return Answer(outcome=str(status), wrong="status")
    wrong = None if is_error(str(status)) else _find_wrong(request_id, said, lowered.get(b"content-type"), body)
    return Answer(outcome=str(status), by_app=said == request_id, wrong=wrong)


def _find_wrong(request_id: bytes, said: bytes | None, kind: bytes | None, body: bytes) -> str | None:
    if body == make_body(request_id):
        return "foreign" if said not in (None, request_id) else "headers" if said is None or kind != TYPE else None
    if not body:
        return "empty"
    return "foreign" if _ANY_BODY.fullmatch(body) else "body"
