"""Finding interpreters, remembering them, asking for one, and choosing among them; no process is started."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.core.errors import UnrunnableError, UsageError
from harness.provision.candidates import list_candidates
from harness.provision.compatibility import fit, refuse_request, wanted_pythons
from harness.provision.complaints import Complaint
from harness.provision.installer import (
    WrongPythonError,
    classify,
    judge_failure,
    name_cause,
    one_line,
    uv_environ,
)
from harness.provision.interpreters import PYTHON_2, Answer, Interpreter, Memory, Request, Survey, parse_request, survey
from harness.provision.releases import load_catalogue


def make_python(path: Path, content: str = "ELF") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    path.chmod(0o755)
    return path


def make_interpreter(version: str, *, path: str | None = None, implementation: str = "CPython") -> Interpreter:
    return Interpreter(path=Path(path or f"/opt/{version}/python"), version=version, implementation=implementation)


def make_survey(*versions: str) -> Survey:
    return Survey(interpreters=tuple(make_interpreter(version) for version in versions), rejected=())


class Probe:
    """Stands for starting an interpreter: knows the answers, and counts how often it was asked."""

    def __init__(self, answers: dict[Path, str]) -> None:
        self.answers = answers
        self.asked: list[Path] = []

    def __call__(self, path: Path) -> Answer:
        self.asked.append(path)
        version = self.answers.get(path)
        if version is None:
            return "it exits with 127 and says: command not found"
        return Interpreter(path=path, version=version, implementation="CPython")


@pytest.fixture
def memory(tmp_path: Path) -> Callable[[], Memory]:
    return lambda: Memory.load(tmp_path / "cache" / "interpreters.json")


def test_search_order_and_shims(tmp_path: Path, memory: Callable[[], Memory]) -> None:
    on_path = make_python(tmp_path / "bin" / "python3.9")
    shim = make_python(tmp_path / ".pyenv" / "shims" / "python3.6", "#!/bin/sh\n")
    old = make_python(tmp_path / ".pyenv" / "versions" / "3.9.18" / "bin" / "python")
    new = make_python(tmp_path / ".pyenv" / "versions" / "3.10.13" / "bin" / "python")
    own = make_python(tmp_path / ".local/share/uv/python" / "cpython-3.12.1-linux" / "bin" / "python3")
    probe = Probe({on_path: "3.9.2", shim: "3.6.15", old: "3.9.18", new: "3.10.13", own: "3.12.1"})
    environ = {"PATH": f"{shim.parent}:relative:{on_path.parent}:{on_path.parent}"}

    found = survey(memory(), environ=environ, home=tmp_path, probe=probe)

    assert [one.version for one in found.interpreters] == ["3.9.2", "3.10.13", "3.9.18", "3.12.1"]
    assert shim not in probe.asked


def test_other_roots_are_searched(tmp_path: Path) -> None:
    python = make_python(tmp_path / "elsewhere" / "versions" / "3.6.15" / "bin" / "python")
    managed = make_python(tmp_path / "uv" / "cpython-3.11.7-linux" / "bin" / "python3")
    environ = {"PYENV_ROOT": str(tmp_path / "elsewhere"), "UV_PYTHON_INSTALL_DIR": str(tmp_path / "uv")}

    assert {python, managed} <= set(list_candidates(environ, tmp_path))


def test_what_is_no_python_is_told(tmp_path: Path, memory: Callable[[], Memory]) -> None:
    broken = make_python(tmp_path / "bin" / "python3")

    found = survey(memory(), environ={"PATH": str(broken.parent)}, home=tmp_path, probe=Probe({}))

    assert found.interpreters == ()
    assert found.rejected == ((broken, "it exits with 127 and says: command not found"),)


def test_a_second_look_asks_nobody(tmp_path: Path, memory: Callable[[], Memory]) -> None:
    python = make_python(tmp_path / "bin" / "python3")
    environ = {"PATH": str(python.parent)}
    probe = Probe({python: "3.9.2"})

    first = survey(memory(), environ=environ, home=tmp_path, probe=probe)
    second = survey(memory(), environ=environ, home=tmp_path, probe=probe)

    assert first == second
    assert probe.asked == [python]


def test_a_changed_interpreter_is_asked_again(tmp_path: Path, memory: Callable[[], Memory]) -> None:
    python = make_python(tmp_path / "bin" / "python3")
    environ = {"PATH": str(python.parent)}
    survey(memory(), environ=environ, home=tmp_path, probe=Probe({python: "3.9.2"}))

    make_python(python, "ELF, but another one")
    found = survey(memory(), environ=environ, home=tmp_path, probe=Probe({python: "3.9.3"}))

    assert [one.version for one in found.interpreters] == ["3.9.3"]


def test_scripts_are_asked_each_time(tmp_path: Path, memory: Callable[[], Memory]) -> None:
    script = make_python(tmp_path / "bin" / "python3", "#!/bin/sh\nexec python3.9")
    probe = Probe({script: "3.9.2"})

    for _ in range(2):
        survey(memory(), environ={"PATH": str(script.parent)}, home=tmp_path, probe=probe)

    assert probe.asked == [script, script]


def test_python_2_is_asked_once_and_what_may_be_mended_each_time(tmp_path: Path, memory: Callable[[], Memory]) -> None:
    old = make_python(tmp_path / "bin" / "python2.7")
    broken = make_python(tmp_path / "bin" / "python3")
    asked: list[Path] = []

    def probe(path: Path) -> Answer:
        asked.append(path)
        return PYTHON_2 if path == old else "it exits with 127 and says: a library is missing"

    looks = [survey(memory(), environ={"PATH": str(old.parent)}, home=tmp_path, probe=probe) for _ in range(2)]

    assert looks[0] == looks[1]
    assert dict(looks[0].rejected)[old] == PYTHON_2
    assert sorted(asked) == sorted([old, broken, broken])


def test_the_harness_own_python_comes_last(tmp_path: Path, memory: Callable[[], Memory]) -> None:
    on_path = make_python(tmp_path / "bin" / "python3")
    own = make_python(tmp_path / "own" / "python")
    probe = Probe({on_path: "3.9.2", own: "3.12.1"})

    found = survey(memory(), environ={"PATH": str(on_path.parent)}, home=tmp_path, own=own, probe=probe)

    assert [one.path for one in found.interpreters] == [on_path, own]


def test_a_torn_memory_is_no_memory(tmp_path: Path) -> None:
    file = tmp_path / "interpreters.json"
    file.write_text('{"schema": 1, "interp')

    assert Memory.load(file).answers == {}


@pytest.mark.parametrize(
    ("text", "version"), [("3.6", "3.6"), ("3.6.15", "3.6.15"), ("python3.6", "3.6"), ("3.13", "3.13"), (None, None)]
)
def test_request_by_version(text: str | None, version: str | None, memory: Callable[[], Memory]) -> None:
    assert parse_request(text, memory(), environ={}, probe=Probe({})) == Request(version=version)


def test_request_by_path_environment_and_name(tmp_path: Path, memory: Callable[[], Memory]) -> None:
    python = make_python(tmp_path / "env" / "bin" / "python")
    probe = Probe({python: "3.9.2"})
    expected = Request(interpreter=Interpreter(path=python, version="3.9.2", implementation="CPython"))
    environ = {"PATH": str(python.parent)}

    for text in (str(python), str(tmp_path / "env"), "python"):
        assert parse_request(text, memory(), environ=environ, probe=probe) == expected


@pytest.mark.parametrize("text", ["", "/missing/python", "nonsense", "-c", "3", "3.6; id", "python3.6 -c id"])
def test_request_for_nothing(text: str, memory: Callable[[], Memory]) -> None:
    with pytest.raises(UsageError, match="--python"):
        parse_request(text, memory(), environ={"PATH": ""}, probe=Probe({}))


def test_request_for_something_that_is_no_python(tmp_path: Path, memory: Callable[[], Memory]) -> None:
    other = make_python(tmp_path / "bash")

    with pytest.raises(UsageError, match="not a Python that can be used: it exits with 127"):
        parse_request(str(other), memory(), environ={}, probe=Probe({}))


@pytest.mark.parametrize(
    ("version", "matches"), [("3.6", True), ("3.6.15", True), ("3.6.1", False), ("3.60", False), (None, True)]
)
def test_request_matches(version: str | None, matches: bool) -> None:
    assert Request(version=version).matches(make_interpreter("3.6.15")) is matches


@pytest.mark.parametrize(
    ("release", "here", "expected"),
    [
        ("19.6.0", ("3.11.2", "3.9.18", "3.6.15", "3.7.16"), ["3.6.15", "3.7.16", "3.9.18"]),
        ("19.6.0", ("3.9.18", "3.8.18"), ["3.8.18", "3.9.18"]),
        ("27.0.1", ("3.13.0", "3.6.15", "3.10.13"), ["3.10.13", "3.13.0"]),
        ("21.0.0", ("3.9.2", "3.9.18"), ["3.9.2", "3.9.18"]),
        (None, ("3.13.0", "3.6.15"), ["3.6.15", "3.13.0"]),
        ("19.6.0", ("3.13.0",), []),
    ],
)
def test_choice(release: str | None, here: tuple[str, ...], expected: list[str]) -> None:
    choice = fit(load_catalogue(), make_survey(*here), Request(), release=release, worker="gthread")

    assert [one.version for one in choice.candidates] == expected
    assert len(choice.candidates) + len(choice.with_era_shims) + len(choice.others) == len(here)


@pytest.mark.parametrize(
    ("release", "worker", "here", "expected"),
    [
        ("19.6.0", "gthread", ("3.13.0", "3.6.15", "3.11.2"), ["3.11.2", "3.13.0"]),
        ("19.6.0", "sync", ("3.10.13", "3.12.1"), ["3.12.1"]),
        ("19.0.0", "gthread", ("3.8.18", "3.11.2"), ["3.8.18", "3.11.2"]),
        ("27.0.1", "gthread", ("3.8.18", "3.13.0"), []),
        ("23.0.0", "sync", ("3.6.15",), []),
        (None, "gthread", ("3.13.0",), []),
    ],
)
def test_choice_with_era_shims_takes_the_nearest_first(
    release: str | None, worker: str, here: tuple[str, ...], expected: list[str]
) -> None:
    survey = make_survey(*here)
    choice = fit(load_catalogue(), survey, Request(), release=release, worker=worker)
    refusing = fit(load_catalogue(), survey, Request(), release=release, worker=worker, era_shims=False)

    assert [one.version for one in choice.with_era_shims] == expected
    assert refusing.with_era_shims == ()
    assert refusing.candidates == choice.candidates
    assert {one.version for one, _ in refusing.others} >= set(expected)


def test_a_python_that_was_asked_for_is_taken_with_era_shims_although_another_does_without() -> None:
    request = Request(version="3.11")
    choice = fit(load_catalogue(), make_survey("3.6.15", "3.11.2"), request, release="19.6.0", worker="gthread")

    assert (choice.candidates, [one.version for one in choice.with_era_shims]) == ((), ["3.11.2"])


def test_choice_by_request() -> None:
    choice = fit(
        load_catalogue(), make_survey("3.6.15", "3.9.18"), Request(version="3.9"), release="19.6.0", worker="gthread"
    )

    assert [one.version for one in choice.candidates] == ["3.9.18"]


def test_other_implementations_only_by_name() -> None:
    pypy = make_interpreter("3.9.18", path="/opt/pypy", implementation="PyPy")
    found = Survey(interpreters=(pypy,), rejected=())

    assert fit(load_catalogue(), found, Request(), release="19.6.0", worker="sync").candidates == ()
    asked = fit(load_catalogue(), found, Request(interpreter=pypy), release="19.6.0", worker="sync")
    assert asked.candidates == (pypy,)


def test_looked_at_tells_every_one() -> None:
    rejected = ((Path("/opt/broken"), "it says nothing"),)
    found = Survey(interpreters=make_survey("3.13.0", "3.6.15", "3.7.16", "3.8.18").interpreters, rejected=rejected)
    choice = fit(load_catalogue(), found, Request(), release="19.6.0", worker="gthread")
    oldest, taken = choice.candidates[:2]

    lines = choice.looked_at(taken, {oldest.path: "refused"})

    assert lines[:3] == (
        "/opt/3.6.15/python: Python 3.6.15: refused",
        "/opt/3.7.16/python: Python 3.7.16: taken",
        "/opt/3.8.18/python: Python 3.8.18: fits, but /opt/3.7.16/python comes first",
    )
    assert lines[3] == "/opt/3.13.0/python: Python 3.13.0: fits with era shims, but /opt/3.7.16/python comes first"
    assert lines[4] == "/opt/broken: it says nothing"


@pytest.mark.parametrize(("asked", "why"), [("2.7", "Python 2 too"), ("3.5", "out of scope"), ("3.12", "getargspec")])
def test_a_python_that_cannot_do(asked: str, why: str) -> None:
    with pytest.raises(UnrunnableError, match=why):
        refuse_request(
            load_catalogue(),
            Request(version=asked),
            subject="gunicorn 19.6.0",
            release="19.6.0",
            worker="sync",
            era_shims=False,
        )


@pytest.mark.parametrize(
    ("release", "asked", "wants", "expected"),
    [
        ("19.6.0", None, "", ("3.6", "3.7", "3.8", "3.9")),
        ("27.0.1", None, "", ("3.10", "3.11", "3.12", "3.13", "3.14")),
        (None, None, ">=3.12", ("3.12", "3.13", "3.14")),
        ("19.6.0", "3.8", "", ("3.8",)),
    ],
)
def test_wanted(release: str | None, asked: str | None, wants: str, expected: tuple[str, ...]) -> None:
    request = Request(version=asked)

    assert wanted_pythons(load_catalogue(), request, release=release, worker="gthread", wants=wants) == expected


NO_SUCH = """error: No solution found when resolving dependencies
  cause: Because there is no version of gunicorn==99.9 and you require gunicorn==99.9, we can conclude that your
         requirements are unsatisfiable.
"""
OTHER_PYTHON = """error: No solution found when resolving dependencies
  cause: Because the current Python version (3.6.15) does not satisfy Python>=3.10 and gunicorn==27.0.1 depends on
         Python>=3.10, we can conclude that gunicorn==27.0.1 cannot be used.
"""
UNREACHABLE = """Using Python 3.6.15 environment at: env
error: Request failed after 3 retries in 5.7s
  cause: Failed to fetch: http://127.0.0.1:9/simple/gunicorn/
  cause: Connection refused (os error 111)
"""
BROKEN_BUILD = """error: Failed to build `gunicorn==0.14.6`
  cause: The build backend returned an error
         [stderr]
         Traceback (most recent call last):
         NameError: name 'file' is not defined
"""
DISK_FULL = "error: Failed to install: x\n  cause: No space left on device (os error 28)\n"


@pytest.mark.parametrize(
    ("said", "complaint", "error", "text"),
    [
        (NO_SUCH, Complaint.NO_SUCH_VERSION, "NoSuchReleaseError", "the package index has no such release"),
        (OTHER_PYTHON, Complaint.WRONG_PYTHON, "WrongPythonError", "asks for Python >=3.10"),
        (UNREACHABLE, Complaint.UNREACHABLE, "SurroundingsError", "the package index can't be reached"),
        (BROKEN_BUILD, Complaint.BUILD, "UnrunnableError", "can't be built: NameError: name 'file' is not defined"),
        (BROKEN_BUILD.replace("gunicorn", "bottle"), Complaint.BUILD, "SurroundingsError", "bottle"),
        (NO_SUCH.replace("gunicorn", "bottle"), Complaint.NO_SUCH_VERSION, "SurroundingsError", "bottle"),
        (DISK_FULL, Complaint.DISK, "SurroundingsError", "the disk is full"),
        ("error: whatever", Complaint.OTHER, "SurroundingsError", "whatever"),
    ],
)
def test_complaints(said: str, complaint: Complaint, error: str, text: str) -> None:
    judged = judge_failure(said, subject="it", log=None)

    assert classify(said) is complaint
    assert type(judged).__name__ == error
    assert text in judged.what
    assert "\n" not in judged.what


def test_wanted_python_is_read_from_the_complaint() -> None:
    judged = judge_failure(" ".join(OTHER_PYTHON.split()), subject="it", log=None)

    assert isinstance(judged, WrongPythonError)
    assert judged.wants == ">=3.10"


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        (UNREACHABLE, "Connection refused (os error 111)"),
        ("error: Request failed for url (https://a.example/x-1%2B.tar.gz)", "Request failed"),
        ("error: a\n  cause: Failed to download `https://a.example/x`", "Failed to download"),
        ("", "it says nothing"),
    ],
)
def test_the_cause_of_a_complaint_has_no_address_to_be_cut(said: str, cause: str) -> None:
    assert name_cause(said) == cause


def test_one_line_is_cut() -> None:
    assert one_line("noise\nerror: a\n  cause: b") == "a: b"
    assert len(one_line("x" * 9999)) == 400


def test_what_uv_hears_of_the_users_settings() -> None:
    environ = {"UV_CONSTRAINT": "c", "VIRTUAL_ENV": "v", "UV_CACHE_DIR": "d", "PIP_INDEX_URL": "m", "PATH": "p"}

    assert uv_environ(environ) == {"UV_CACHE_DIR": "d", "UV_DEFAULT_INDEX": "m", "PIP_INDEX_URL": "m", "PATH": "p"}
    assert uv_environ({"PIP_INDEX_URL": "m", "UV_INDEX_URL": "n"})["UV_INDEX_URL"] == "n"
    assert "UV_DEFAULT_INDEX" not in uv_environ({"PIP_INDEX_URL": "m", "UV_INDEX_URL": "n"})


def test_a_memory_that_can_not_be_stored_costs_only_the_time_to_ask() -> None:
    memory = Memory.load(Path("/dev/null/interpreters.json"))
    memory.changed = True
    memory.save()
    assert memory.answers == {}
