"""Now and then it sends more bytes than it announces."""

from turn import answer, is_turn


def app(environ, start_response):
    if is_turn(environ):
        start_response("200 OK", [("Content-Length", "3")])
        return [b"much longer than that"]
    return answer(start_response)
