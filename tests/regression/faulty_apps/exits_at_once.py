"""Now and then it ends its process without any clean-up."""

import os

from turn import answer, is_turn


def app(environ, start_response):
    if is_turn(environ):
        os._exit(4)
    return answer(start_response)
