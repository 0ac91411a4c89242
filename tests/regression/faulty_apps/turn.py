"""When it is a request's turn: the app under test must answer the control requests, which carry no id, as it should."""

import itertools

EVERY = 25
numbers = itertools.count(1)


def is_turn(environ):
    """True for each EVERY-th request of the load in this worker."""
    return "HTTP_X_REQUEST_ID" in environ and next(numbers) % EVERY == 0


def answer(start_response, body=b"Hello World", status="200 OK"):
    """As it should be."""
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
