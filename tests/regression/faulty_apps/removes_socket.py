"""It removes the socket file that its worker listens at."""

import contextlib
import os

from turn import answer, is_turn


def app(environ, start_response):
    if is_turn(environ):
        with contextlib.suppress(OSError):
            os.unlink(environ["gunicorn.socket"].getsockname())
    return answer(start_response)
