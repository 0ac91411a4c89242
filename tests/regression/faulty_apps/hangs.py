"""Now and then it takes longer than any client waits."""

import time

from turn import answer, is_turn

LONG_S = 60


def app(environ, start_response):
    if is_turn(environ):
        time.sleep(LONG_S)
    return answer(start_response)
