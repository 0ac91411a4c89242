"""Now and then it closes all files that its worker has inherited."""

import os

from turn import answer, is_turn


def app(environ, start_response):
    if is_turn(environ):
        os.closerange(3, 64)
    return answer(start_response)
