"""What a project says to the plugin (markers, options, ini settings) and what it makes of that; no run is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from harness import pytest_plugin
from harness.core.errors import UsageError
from harness.core.model import Cell, Outcome, Verdict
from harness.engine.request import RunRequest
from harness.engine.run import Result
from harness.pytest_plugin import RENAMED, judged_run
from harness.pytest_plugin.scene import require_local
from harness.records.stored import StoredRun
from harness.report.as_excerpt import MOST_LINES

pytest_plugins = ["pytester"]

Run = Callable[..., pytest.RunResult]
RecordRun = Callable[..., StoredRun]

USE = "def test_it(recycle_run):\n    assert recycle_run.outcome.value\n"


class Requests(list[RunRequest]):
    """What the tests of a project asked for, in their order."""

    @property
    def cells(self) -> list[Cell]:
        return [request.cell for request in self]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, record_run: RecordRun) -> Requests:
    """Instead of each run there is a stored one."""
    requests = Requests()
    stored = record_run()

    def run_cell(request: RunRequest, **_: object) -> Result:
        requests.append(request)
        verdict = Verdict(cell=request.cell, outcome=Outcome.VIOLATED, reasons=())
        return Result(path=stored.path, verdict=verdict, interrupted=False, note=None)

    monkeypatch.setattr(judged_run, "run_cell", run_cell)
    return requests


@pytest.fixture
def project(pytester: pytest.Pytester, asked: Requests, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs pytest over a project of one test file; what it asked for is in ``asked``."""
    monkeypatch.setenv("RECYCLE_HARNESS_CACHE", str(pytester.path / "cache"))

    def run(tests: str, *arguments: str, ini: str = "") -> pytest.RunResult:
        asked.clear()
        pytester.makepyfile(test_project=tests)
        pytester.makeini(f"[pytest]\n{ini}")
        return pytester.runpytest_inprocess(
            "-p", "no:asyncio", "-p", "no:pytest_cov", "-p", "no:xdist", "--strict-markers", *arguments
        )

    return run


def test_a_marker_says_what_is_run(project: Run, asked: Requests) -> None:
    marked = '@pytest.mark.recycle(release="19.6.0", worker="sync", disturb="reload", workers=3, duration_s=4)'
    project(f"import pytest\n{marked}\n{USE}").assert_outcomes(passed=1)
    (cell,) = asked.cells
    assert (cell.spec, cell.worker, cell.disturb, cell.workers, cell.duration_s) == ("19.6.0", "sync", "reload", 3, 4.0)
    assert (cell.threads, cell.max_requests) == (1, 0), "what suits the worker class and the disturbance"


def test_the_nearest_marker_wins_field_by_field(project: Run, asked: Requests) -> None:
    project(
        """
        import pytest
        pytestmark = pytest.mark.recycle(release="19.5.0", workers=2)

        @pytest.mark.recycle(workers=3)
        class TestAll:
            @pytest.mark.recycle(max_requests=7)
            def test_it(self, recycle_run):
                pass
        """
    ).assert_outcomes(passed=1)
    (cell,) = asked.cells
    assert (cell.spec, cell.workers, cell.max_requests) == ("19.5.0", 3, 7)


def test_lists_make_a_test_for_each_combination(project: Run, asked: Requests) -> None:
    marked = '@pytest.mark.recycle(release=["19.6.0", "23.0.0"], worker=["sync", "gthread"], workers=2)'
    ran = project(f"import pytest\n{marked}\n{USE}", "-v")
    ran.assert_outcomes(passed=4)
    assert "test_it[23.0.0-gthread]" in ran.stdout.str()
    assert {(cell.spec, cell.worker) for cell in asked.cells} == {
        (spec, worker) for spec in ("19.6.0", "23.0.0") for worker in ("sync", "gthread")
    }
    assert {cell.workers for cell in asked.cells} == {2}


@pytest.mark.parametrize(
    ("marked", "said"),
    [
        ('recycle("19.6.0")', "takes names: recycle(release='19.6.0')"),
        ('recycle(workr="sync")', "there is no 'workr'; did you mean work"),
        ("recycle(workers=0)", "recycle(workers=0): '0' is not a whole number of 1 or more"),
        ('recycle(release="nineteen")', "SPEC 'nineteen' can't be used"),
        ("recycle(worker=[])", "recycle(worker=[]) names no value"),
    ],
)
def test_a_malformed_marker_is_refused_when_tests_are_collected(
    project: Run, asked: Requests, marked: str, said: str
) -> None:
    ran = project(f"import pytest\n@pytest.mark.{marked}\n{USE}")
    assert said in ran.stdout.str()
    ran.assert_outcomes(errors=1)
    assert asked == []


def test_a_value_that_no_field_has_fails_the_test_and_names_those_it_has(project: Run, asked: Requests) -> None:
    ran = project(f'import pytest\n@pytest.mark.recycle(proxy="apache")\n{USE}')
    assert "recycle_cell has proxy='apache', which is unknown" in ran.stdout.str()
    ran.assert_outcomes(errors=1)
    assert asked == []


def test_every_option_may_stand_in_the_ini_file_and_an_option_wins_over_it(project: Run, asked: Requests) -> None:
    ini = (
        "gunicorn_releases = 19.5.0\n"
        "gunicorn_worker = sync\n"
        "gunicorn_backend = docker\n"
        "gunicorn_disturb = reload\n"
        "gunicorn_python = 3.9\n"
        "gunicorn_out = records\n"
        "gunicorn_no_era_shims = true\n"
    )
    project(USE, ini=ini).assert_outcomes(passed=1)
    (request,) = asked
    cell = request.cell
    assert (cell.spec, cell.worker, cell.backend, cell.disturb) == ("19.5.0", "sync", "docker", "reload")
    assert (request.python, request.era_shims, request.out.name) == ("3.9", False, "records")

    project(USE, "--gunicorn", "23.0.0", "--gunicorn-worker", "gthread", ini=ini).assert_outcomes(passed=1)
    assert (asked.cells[0].spec, asked.cells[0].worker) == ("23.0.0", "gthread")


def test_a_marker_wins_over_options_and_ini(project: Run, asked: Requests) -> None:
    marked = '@pytest.mark.recycle(release="19.6.0", worker="sync")'
    project(f"import pytest\n{marked}\n{USE}", "--gunicorn", "23.0.0", "--gunicorn-worker", "gthread")
    assert (asked.cells[0].spec, asked.cells[0].worker) == ("19.6.0", "sync")


@pytest.mark.parametrize("name", ["worker", "backend"])
def test_a_wrong_ini_setting_is_a_usage_error(project: Run, name: str) -> None:
    ran = project(USE, ini=f"gunicorn_{name} = moon")
    assert ran.ret == pytest.ExitCode.USAGE_ERROR
    assert f"ini setting gunicorn_{name}: 'moon' is not one of" in ran.stderr.str()


def test_the_marker_is_told_of(project: Run) -> None:
    assert "@pytest.mark.recycle(release=..., worker=..." in project(USE, "--markers").stdout.str()


def test_the_old_name_of_the_load_warns(project: Run) -> None:
    tests = """
        import pytest

        @pytest.fixture
        def recycle_load():
            return "the load"

        def test_old(load):
            assert load == "the load"
    """
    ran = project(tests)
    ran.assert_outcomes(passed=1, warnings=1)
    assert RENAMED in ran.stdout.str()
    project(tests.replace("test_old(load)", "test_new(recycle_load)").replace("assert load", "assert recycle_load"))


def test_a_fixture_of_the_project_named_load_is_its_own(project: Run) -> None:
    tests = "import pytest\n@pytest.fixture\ndef load():\n    return 1\ndef test_it(load):\n    assert load == 1\n"
    project(tests, "-W", "error").assert_outcomes(passed=1)


def test_a_failing_test_prints_the_lines_that_matter(project: Run) -> None:
    ran = project("def test_it(recycle_run):\n    assert recycle_run.verdict is None\n")
    ran.assert_outcomes(failed=1)
    said = ran.stdout.str().partition("gunicorn under test")[2].partition("short test summary")[0].splitlines()[1:-1]
    assert 5 <= len(said) <= MOST_LINES
    assert said[0].startswith("gunicorn 19.6.0, gthread worker")
    assert any(line.startswith("socket-deleted at") for line in said)
    assert any("os.unlink" in line or "sock.py" in line for line in said), "who did it"
    assert said[-2].startswith("record: ")
    assert said[-1].startswith("more: harness report ")


def test_single_servers_are_started_here_alone() -> None:
    require_local(Cell(spec="19.6.0"))
    with pytest.raises(UsageError, match="not for the docker back end"):
        require_local(replace(Cell(spec="19.6.0"), backend="docker"))


def test_a_fixture_is_not_hidden_by_a_module_of_its_name() -> None:
    """Python makes a loaded module an attribute of its package: a second session in one process would lose it."""
    modules = {path.stem for path in Path(pytest_plugin.__file__).parent.glob("*.py")}
    assert modules & {name for name, value in vars(pytest_plugin).items() if not isinstance(value, ModuleType)} == set()


def test_a_plain_test_needs_nothing_of_it(project: Run, tmp_path: Path) -> None:
    project("def test_it():\n    pass\n", "-W", "error").assert_outcomes(passed=1)
    assert not (tmp_path / "cache").exists()


def test_disturbances_have_short_names(project: Run, asked: Requests) -> None:
    project(USE, "--gunicorn=23.0.0", "--disturb=reload,scale", "--times=2").assert_outcomes(passed=1)
    (cell,) = asked.cells
    assert (cell.disturb, cell.times, cell.max_requests) == ("reload,scale", 2, 0)
    project(USE, "--gunicorn=23.0.0", ini="gunicorn_disturb = stop\ngunicorn_times = 3\n").assert_outcomes(passed=1)
    assert (asked.cells[0].disturb, asked.cells[0].times) == ("stop", 3)


def test_a_number_of_times_that_is_none_is_a_usage_error(project: Run) -> None:
    ran = project(USE, ini="gunicorn_times = often\n")
    assert ran.ret == pytest.ExitCode.USAGE_ERROR
    ran.stderr.fnmatch_lines(["*gunicorn_times: 'often' is not a whole number of 1 or more*"])
