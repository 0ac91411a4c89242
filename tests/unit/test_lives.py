from __future__ import annotations

import pytest

from harness.core.observations import WorkerLife
from harness.judge.lives import SILENT_END, UNNAMED, Lives
from tests.unit.events import at_ns


class _Told:
    """Lives, with times in seconds."""

    def __init__(self) -> None:
        self.lives = Lives()

    def sample(self, at_s: float, *pids: int, start_ticks: int = 1) -> _Told:
        self.lives.see(at_ns(at_s), dict.fromkeys(pids, start_ticks))
        return self

    def line(self, at_s: float, pid: int | None, state: str | None, text: str = "") -> _Told:
        self.lives.read_line(at_ns(at_s), pid, state, text)
        return self

    def close(self, *, log_complete: bool = True) -> dict[int, WorkerLife]:
        return {life.pid: life for life in self.lives.close(log_complete=log_complete)}


def _head(message: str, pid: int = 100) -> str:
    return f"[2026-01-01 00:00:00 +0000] [{pid}] [ERROR] {message}"


def test_a_worker_from_boot_to_end() -> None:
    told = _Told().line(1, 101, "booted").sample(1.1, 101).line(2, 101, "restarting").line(2.1, 101, "exiting")
    told.lives.count(at_ns(1.9), 101, 100)
    life = told.sample(2.2).close()[101]
    assert (life.booted_ns, life.restart_ns, life.ended_ns) == (at_ns(1), at_ns(2), at_ns(2.2))
    assert (life.served, life.announced_restart, life.crash) == (100, True, None)


def test_a_child_that_never_said_that_it_is_a_worker_is_none() -> None:
    told = _Told().line(1, 101, "booted").sample(1, 101, 500)
    assert list(told.close()) == [101]
    assert told.lives.live_workers() == 1


def test_a_worker_whose_boot_was_missed_is_known_by_what_it_served() -> None:
    told = _Told().sample(1, 101)
    told.lives.count(at_ns(1.5), 101, 3)
    assert told.close()[101].served == 3


def test_a_worker_alive_in_the_last_sample_has_not_ended() -> None:
    assert _Told().line(1, 101, "booted").sample(1, 101).sample(5, 101).close()[101].ended_ns is None


def test_a_worker_too_short_for_any_sample_ended_when_it_was_last_heard_of() -> None:
    told = _Told().sample(1, 101).line(2, 102, "booted").line(2.01, 102, "exiting").sample(3, 101)
    assert told.close()[102].ended_ns == at_ns(2.01)


def test_a_worker_that_boots_after_the_last_sample_has_not_ended() -> None:
    told = _Told().line(1, 101, "booted").sample(3, 101).line(3.01, 102, "booted")
    life = told.close()[102]
    assert (life.ended_ns, life.crash) == (None, None)


def test_without_samples_nobody_is_said_to_have_ended() -> None:
    told = _Told().line(1, 101, "booted")
    assert told.close()[101].ended_ns is None
    assert told.lives.live_workers() is None
    assert told.lives.fewest_workers() is None


def test_a_worker_that_ends_without_a_word_was_ended_by_a_signal() -> None:
    told = _Told().line(1, 101, "booted").sample(1, 101).sample(2)
    assert (told.close()[101].crash, told.close()[101].crash_ns) == (SILENT_END, at_ns(2))


def test_silence_says_nothing_where_the_log_was_not_read_to_its_end() -> None:
    told = _Told().line(1, 101, "booted").sample(1, 101).sample(2)
    assert told.close(log_complete=False)[101].crash is None


def test_a_boot_that_is_read_late_makes_no_second_worker() -> None:
    told = _Told().sample(1, 101)
    told.lives.count(at_ns(1.01), 101, 1)
    told.sample(1.02).line(1.03, 101, "booted").line(1.03, 101, "restarting").line(1.03, 101, "exiting")
    assert [(life.crash, life.served) for life in told.lives.close(log_complete=True)] == [(None, 1)]


@pytest.mark.parametrize("state", ["exiting", "terminated"])
def test_a_worker_that_said_so_or_was_asked_to_has_not_crashed(state: str) -> None:
    assert _Told().line(1, 101, "booted").sample(1, 101).line(1.9, 101, state).sample(2).close()[101].crash is None


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ("signalled", "Worker (pid:101) was sent SIGKILL! Perhaps out of memory?"),
        ("signalled", "Worker with pid 101 was terminated due to signal 11"),
        ("failed", "Worker (pid:101) exited with code 255"),
        ("timed-out", "WORKER TIMEOUT (pid:101)"),
    ],
)
def test_a_crash_is_named_by_the_arbiters_words(state: str, message: str) -> None:
    told = _Told().line(1, 101, "booted").sample(1, 101).line(2, 101, state, _head(message))
    assert (told.close()[101].crash, told.close()[101].crash_ns) == (message, at_ns(2))


def test_the_exception_outranks_the_exit_code_that_follows() -> None:
    told = _Told().line(1, 101, "booted").line(2, 101, "crashed", _head("Exception in worker process", 101))
    told.line(2, None, None, "Traceback (most recent call last):").line(2, None, None, '  File "x.py", line 1, in f')
    told.line(2, None, None, "ValueError: broken").line(
        2.1, 101, "failed", _head("Worker (pid:101) exited with code 1")
    )
    assert told.close()[101].crash == "ValueError: broken"


TRACEBACK = ["Traceback (most recent call last):", '  File "sock.py", line 123, in close', "    os.unlink(x)"]
MISSING = "FileNotFoundError: [Errno 2] No such file or directory: '/tmp/x/gunicorn.sock'"


@pytest.mark.parametrize(
    ("lines", "crash"),
    [
        ([*TRACEBACK, MISSING], MISSING),
        # 23.0 and later print the exception's text once more on standard error
        ([*TRACEBACK, MISSING, "[Errno 2] No such file or directory: '/tmp/x/gunicorn.sock'"], MISSING),
        ([*TRACEBACK, "KeyError: 'x'", "'x'"], "KeyError: 'x'"),
        ([*TRACEBACK, "ValueError: first: line", "second: line"], "ValueError: first: line"),
        ([*TRACEBACK, "AssertionError"], "AssertionError"),
        ([*TRACEBACK, "some.module.Oddity: x"], "some.module.Oddity: x"),
        # a chain of exceptions: the last one is what ended the worker
        (
            [
                *TRACEBACK,
                MISSING,
                "",
                "During handling of the above exception, another exception occurred:",
                "",
                *TRACEBACK,
                "RuntimeError: in the cleanup",
            ],
            "RuntimeError: in the cleanup",
        ),
        # 19.3 writes every traceback twice
        ([*TRACEBACK, MISSING, "", *TRACEBACK, MISSING], MISSING),
        ([], UNNAMED),
        (["  File without a head"], UNNAMED),
    ],
)
def test_a_traceback_is_read_to_the_exception_that_counts(lines: list[str], crash: str) -> None:
    told = _Told().line(1, 101, "booted").line(2, 101, "crashed", _head("Exception in worker process", 101))
    for line in lines:
        told.line(2, None, None, line)
    assert told.close()[101].crash == crash


def test_a_line_of_another_process_ends_the_traceback() -> None:
    told = _Told().line(1, 101, "booted").line(1, 102, "booted").line(2, 101, "crashed").line(2, 102, None, "hello")
    told.line(2, None, None, "ValueError: whose?")
    assert told.close()[101].crash == UNNAMED


def test_a_traceback_that_nobody_announced_belongs_to_nobody() -> None:
    told = _Told().line(1, 101, "booted").line(2, None, None, "ValueError: the app logs its own")
    assert told.close()[101].crash is None


def test_a_traceback_after_a_timeout_does_not_hide_the_timeout() -> None:
    told = _Told().line(1, 101, "booted").line(2, 101, "timed-out", _head("WORKER TIMEOUT (pid:101)"))
    told.line(2.1, 101, "crashed").line(2.1, None, None, "Traceback (most recent call last):")
    assert told.line(2.1, None, None, "SystemExit: 1").close()[101].crash == "WORKER TIMEOUT (pid:101)"


def test_a_pid_that_comes_back_is_another_worker() -> None:
    told = _Told().line(1, 101, "booted").sample(1, 101).line(2, 101, "exiting").sample(2.1)
    told.lives.count(at_ns(1.5), 101, 100)
    told.line(3, 101, "booted").sample(3.1, 101)
    told.lives.count(at_ns(3.5), 101, 7)
    lives = told.lives.close(log_complete=True)
    assert [(life.served, life.ended_ns is None) for life in lives] == [(100, False), (7, True)]


def test_a_pid_that_comes_back_is_noticed_by_the_sampler_too() -> None:
    told = _Told().line(1, 101, "booted").sample(1, 101).line(2, 101, "exiting").sample(2.1)
    told.sample(3, 101, start_ticks=2).line(3.1, 101, "booted")
    assert [life.ended_ns is None for life in told.lives.close(log_complete=True)] == [False, True]
    assert told.lives.live_workers() == 1


def test_a_pid_that_is_another_process_between_two_samples_is_another_worker() -> None:
    told = _Told().line(1, 101, "booted").sample(1, 101).sample(2, 101, start_ticks=2).line(2, 101, "booted")
    assert [life.ended_ns for life in told.lives.close(log_complete=True)] == [at_ns(2), None]


def test_a_worker_that_one_sample_missed_has_not_ended() -> None:
    """The kernel may leave a child out of its list while another one ends."""
    told = _Told().line(1, 101, "booted").sample(1, 101).sample(2).sample(3, 101)
    (life,) = told.lives.close(log_complete=True)
    assert (life.ended_ns, life.crash) == (None, None)


def test_the_fewest_workers_since_the_load_began() -> None:
    told = _Told().line(1, 101, "booted").line(1, 102, "booted").sample(1, 101).sample(1.1, 101, 102)
    told.lives.forget_samples()
    assert told.lives.fewest_workers() == 2
    told.sample(2, 102).sample(3, 101, 102)
    assert told.lives.fewest_workers() == 1


def test_lives_come_by_time_of_boot() -> None:
    told = _Told().line(2, 101, "booted").line(1, 102, "booted")
    assert list(told.close()) == [102, 101]


def test_a_pid_is_known_to_be_another_process_by_the_log_alone() -> None:
    told = _Told().line(1, 101, "booted").line(2, 101, "exiting").line(3, 101, "booted")
    assert [life.booted_ns for life in told.lives.close(log_complete=True)] == [at_ns(1), at_ns(3)]


def test_a_pid_is_known_to_be_another_process_although_the_first_went_without_a_word() -> None:
    told = _Told().line(1, 101, "booted").sample(1, 101).sample(2).line(3, 101, "booted")
    first, second = told.lives.close(log_complete=True)
    assert (first.crash, second.crash, second.ended_ns) == (SILENT_END, None, None)


def test_a_boot_that_the_sampler_saw_first_is_one_life() -> None:
    assert len(_Told().sample(1, 101).line(1.1, 101, "booted").lives.close(log_complete=True)) == 1


def test_a_line_as_old_as_the_last_sample_does_not_say_that_a_worker_ended() -> None:
    assert _Told().sample(2, 101).line(2, 102, "booted").close()[102].ended_ns is None


def test_a_crash_is_named_without_the_head_of_its_line_in_old_releases_too() -> None:
    told = _Told().line(1, 101, "booted").line(2, 101, "timed-out", "2013-01-01 12:00:00 [9] [CRITICAL] WORKER TIMEOUT")
    assert told.close()[101].crash == "WORKER TIMEOUT"
