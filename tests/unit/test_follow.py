from __future__ import annotations

import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.clock import now_ns, wait_until
from harness.watch import follow
from harness.watch.follow import MAX_LINE_BYTES, PIECE_BYTES, TAIL_BYTES, Follower, read_tail


class _Heard:
    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.times_ns: list[int] = []

    def handle(self, lines: bytes, at_ns: int) -> None:
        self.pieces.append(lines)
        self.times_ns.append(at_ns)

    @property
    def text(self) -> bytes:
        return b"".join(self.pieces)


def _follow_once(path: Path) -> _Heard:
    """All of a file that no longer grows."""
    heard, stop = _Heard(), threading.Event()
    stop.set()
    Follower({path: heard.handle}, 0.001).loop(stop)
    return heard


def test_lines_come_while_the_file_grows(tmp_path: Path) -> None:
    path, heard, stop = tmp_path / "log", _Heard(), threading.Event()
    thread = threading.Thread(target=Follower({path: heard.handle}, 0.001).loop, args=(stop,))
    thread.start()
    try:
        before_ns = now_ns()
        with path.open("wb", buffering=0) as file:
            file.write(b"one\ntw")
            assert wait_until(lambda: heard.text == b"one\n", timeout_s=5, alive=thread.is_alive)
            file.write(b"o\nthree")
            assert wait_until(lambda: heard.text == b"one\ntwo\n", timeout_s=5, alive=thread.is_alive)
    finally:
        stop.set()
        thread.join()
    assert heard.text == b"one\ntwo\nthree\n", "a last line without newline is handed over at the end"
    assert before_ns <= heard.times_ns[0] <= heard.times_ns[-1] <= now_ns()


def test_who_looks_between_two_periods_gets_all_that_is_there_once(tmp_path: Path) -> None:
    paths, heard, stop = [tmp_path / "a", tmp_path / "b"], _Heard(), threading.Event()
    follower = Follower(dict.fromkeys(paths, heard.handle), period_s=60.0)
    thread = threading.Thread(target=follower.loop, args=(stop,))
    thread.start()
    try:
        for path in paths:
            path.write_bytes(path.name.encode() + b"\n")
        while thread.is_alive() and follower.look():
            pass
        assert sorted(heard.pieces) == [b"a\n", b"b\n"]
        assert not follower.look()
    finally:
        stop.set()
        thread.join()
    assert sorted(heard.pieces) == [b"a\n", b"b\n"]


def test_a_file_that_never_comes_is_no_error(tmp_path: Path) -> None:
    assert _follow_once(tmp_path / "never").pieces == []


def test_what_was_written_just_before_the_end_is_not_lost(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"x" * 10 + b"\n")
    assert _follow_once(tmp_path / "log").text == b"x" * 10 + b"\n"


def test_a_long_file_comes_in_pieces_of_whole_lines(tmp_path: Path) -> None:
    content = b"".join(b"%07d\n" % number for number in range(PIECE_BYTES // 4))
    (tmp_path / "log").write_bytes(content)
    heard = _follow_once(tmp_path / "log")
    assert heard.text == content
    assert len(heard.pieces) > 1
    assert all(piece.endswith(b"\n") and len(piece) <= PIECE_BYTES for piece in heard.pieces)


def test_a_line_without_end_is_not_kept_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "PIECE_BYTES", MAX_LINE_BYTES)
    (tmp_path / "log").write_bytes(b"x" * (2 * MAX_LINE_BYTES) + b"y\nlast\n")
    heard = _follow_once(tmp_path / "log")
    assert heard.pieces == [b"x" * (2 * MAX_LINE_BYTES) + b"\n", b"y\nlast\n"]


@given(st.binary(max_size=200), st.integers(1, 7))
def test_no_byte_is_lost_or_doubled_however_the_file_is_cut(content: bytes, piece_bytes: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(follow, "PIECE_BYTES", piece_bytes)
        path = Path(folder) / "log"
        path.write_bytes(content)
        heard = _follow_once(path)
    assert heard.text == (content if content.endswith(b"\n") or not content else content + b"\n")
    assert all(piece.endswith(b"\n") for piece in heard.pieces)


def test_several_files_have_their_own_handlers(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a\n")
    (tmp_path / "b").write_bytes(b"b\n")
    one, two, stop = _Heard(), _Heard(), threading.Event()
    stop.set()
    Follower({tmp_path / "a": one.handle, tmp_path / "b": two.handle}, 0.001).loop(stop)
    assert (one.text, two.text) == (b"a\n", b"b\n")


def test_the_tail_of_a_log(tmp_path: Path) -> None:
    assert read_tail(tmp_path / "missing") == ""
    (tmp_path / "log").write_bytes(b"begin" + b"x" * TAIL_BYTES + b"\xff end")
    assert read_tail(tmp_path / "log").endswith("x\ufffd end")
    assert "begin" not in read_tail(tmp_path / "log")
