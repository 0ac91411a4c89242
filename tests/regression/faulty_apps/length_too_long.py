"""Now and then it announces more bytes than it sends."""

from turn import answer, is_turn


def app(environ, start_response):
    if is_turn(environ):
        start_response("200 OK", [("Content-Length", "100")])
        return [b"short"]
    return answer(start_response)
