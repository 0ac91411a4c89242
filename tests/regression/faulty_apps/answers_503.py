"""Now and then it answers 503 itself."""

from turn import answer, is_turn


def app(environ, start_response):
    if is_turn(environ):
        return answer(start_response, b"not now", "503 Service Unavailable")
    return answer(start_response)
