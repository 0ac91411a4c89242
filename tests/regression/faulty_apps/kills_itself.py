"""Now and then it sends SIGKILL to its own process."""

import os
import signal

from turn import answer, is_turn


def app(environ, start_response):
    if is_turn(environ):
        os.kill(os.getpid(), signal.SIGKILL)
    return answer(start_response)
