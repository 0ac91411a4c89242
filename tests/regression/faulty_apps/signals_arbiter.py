"""Now and then it sends SIGHUP to the arbiter."""

import os
import signal

from turn import answer, is_turn


def app(environ, start_response):
    if is_turn(environ):
        os.kill(os.getppid(), signal.SIGHUP)
    return answer(start_response)
