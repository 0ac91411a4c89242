"""Now and then it raises an exception."""

from turn import answer, is_turn


def app(environ, start_response):
    if is_turn(environ):
        raise ValueError("the app's own fault")
    return answer(start_response)
