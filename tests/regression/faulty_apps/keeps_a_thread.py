"""Each worker gets a thread that never ends, so that the worker can't either."""

import threading
import time

from turn import answer, is_turn

threads = []


def run_for_ever():
    while True:
        time.sleep(1)


def app(environ, start_response):
    if is_turn(environ) and not threads:
        threads.append(threading.Thread(target=run_for_ever, name="for-ever", daemon=False))
        threads[0].start()
    return answer(start_response)
