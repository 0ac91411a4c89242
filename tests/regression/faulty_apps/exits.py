"""Now and then it calls sys.exit in the middle of a request."""

import sys

from turn import answer, is_turn


def app(environ, start_response):
    if is_turn(environ):
        sys.exit(1)
    return answer(start_response)
