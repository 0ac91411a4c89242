"""The pytest plugin: fixtures that start a pinned gunicorn, h2o and wrk, alone or as one whole recorded run.

``pip install`` registers it, so every pytest of the environment loads it; slow imports are therefore inside the
fixtures. Only this package imports pytest and xprocess; the engine makes the runs.
"""

from __future__ import annotations

import warnings
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.pytest_plugin import markers, options

if TYPE_CHECKING:
    from harness.core.model import Cell
    from harness.engine.request import RunRequest
    from harness.pytest_plugin.judged_run import RecycleRun, RunCache
    from harness.pytest_plugin.launcher import Launcher
    from harness.pytest_plugin.load_driver import Load
    from harness.pytest_plugin.scene import GunicornServer, H2oProxy

SHOWN = pytest.StashKey[list["RecycleRun | GunicornServer"]]()
"""What a test has used, which the report of its failure names."""

RENAMED = "recycle-harness: the fixture 'load' is called 'recycle_load' now; the old name will go"


# --- hooks ----------------------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options and ini settings of the plugin."""
    options.add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Tell of the marker, and refuse wrong options before any test is collected."""
    config.addinivalue_line("markers", markers.HELP)
    options.check_options(config)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that uses ``gunicorn_release``, directly or not, runs once for each release and each marked value."""
    if "named_gunicorn_release" not in metafunc.fixturenames:
        return
    marked = markers.read_marks(metafunc.definition)
    releases = marked.get(markers.RELEASE) or options.named_releases(metafunc.config)
    metafunc.parametrize("named_gunicorn_release", releases, indirect=True, scope="session")
    variations = markers.list_variations(marked)
    if len(variations) > 1 and "recycle_marked" in metafunc.fixturenames:
        names = [markers.name_variation(one, marked) for one in variations]
        metafunc.parametrize("recycle_marked", variations, indirect=True, ids=names)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test shows what it ran on, what was found, and where the record lies."""
    report = yield
    if report.skipped:
        from harness.pytest_plugin.outcomes import fail_if_strict

        fail_if_strict(report, item.config)
    if report.failed:
        for used in item.stash.get(SHOWN, []):
            report.sections.append(("gunicorn under test", used.describe()))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests were skipped because the release can't run here: the exit code of such a session is 0."""
    skipped = terminalreporter.stats.get("skipped")
    if not skipped:
        return
    from harness.pytest_plugin.outcomes import count_skipped

    for reason, count in count_skipped(skipped).items():
        terminalreporter.write_line(f"recycle-harness: {count} skipped: {reason}", yellow=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Remove pytest-xprocess's folders of the workers of pytest-xdist, which have ended, and its advice about them."""
    plugins = session.config.pluginmanager
    if plugins.has_plugin("xprocess"):
        from harness.pytest_plugin.launcher import is_all_ours

        if is_all_ours(getattr(session.config, "_xprocess", None)):  # it would say last, with -v: end what you started
            plugins.unregister(name="xprocess")
    if plugins.has_plugin("dsession") and plugins.has_plugin("cacheprovider"):
        from harness.pytest_plugin.launcher import remove_dead_folders

        remove_dead_folders(Path(session.config.cache.mkdir(".xprocess")))


# --- what to run: a project overrides these ---------------------------------------------------------------------


@pytest.fixture(scope="session")
def named_gunicorn_release(request: pytest.FixtureRequest) -> str:
    """One of the releases named by --gunicorn, by the ini setting gunicorn_releases, or "latest"."""
    return str(request.param)


@pytest.fixture(scope="session")
def gunicorn_release(request: pytest.FixtureRequest, named_gunicorn_release: str) -> str:
    """The gunicorn under test: a release, "latest", a path, or git+file:///path@rev."""
    return str(getattr(request, "param", named_gunicorn_release))


@pytest.fixture(scope="session")
def gunicorn_app(pytestconfig: pytest.Config) -> str | None:
    """The app that gunicorn serves, "module:app" (ini setting gunicorn_app); None is the harness's own small one."""
    return options.ini_text(pytestconfig, "gunicorn_app")


@pytest.fixture(scope="session")
def gunicorn_app_folder(pytestconfig: pytest.Config) -> Path:
    """The folder from which the app is imported (ini setting gunicorn_app_folder, below pytest's root folder)."""
    return options.ini_path(pytestconfig, "gunicorn_app_folder") or pytestconfig.rootpath


@pytest.fixture(scope="session")
def gunicorn_settings(pytestconfig: pytest.Config) -> Path | None:
    """The project's gunicorn settings file (ini setting gunicorn_settings), as `--settings`: it is what is run.

    What a marker, an option or a ``recycle_cell`` of the project sets otherwise than the harness's default wins.
    """
    return options.ini_path(pytestconfig, "gunicorn_settings")


@pytest.fixture
def recycle_marked(request: pytest.FixtureRequest) -> markers.Variation:
    """What the markers ``recycle`` of this test say of its cell."""
    marked: markers.Variation | None = getattr(request, "param", None)
    return markers.list_variations(markers.read_marks(request.node))[0] if marked is None else marked


@pytest.fixture
def recycle_cell(
    pytestconfig: pytest.Config, gunicorn_release: str, gunicorn_app: str | None, recycle_marked: markers.Variation
) -> Cell:
    """Everything that defines the experiment: workers, threads, max_requests, bind, load and so on."""
    from harness.pytest_plugin.outcomes import told_by_pytest

    with told_by_pytest():
        return options.make_cell(pytestconfig, release=gunicorn_release, app=gunicorn_app, marked=recycle_marked)


@pytest.fixture
def recycle_request(
    pytestconfig: pytest.Config,
    recycle_cell: Cell,
    gunicorn_settings: Path | None,
    gunicorn_app_folder: Path,
    recycle_out: Path,
) -> RunRequest:
    """The cell, how gunicorn is set up, and where the record goes."""
    from harness.engine.request import RunRequest
    from harness.pytest_plugin.outcomes import told_by_pytest

    with told_by_pytest():
        options.check_request(recycle_cell, settings=gunicorn_settings, app_folder=gunicorn_app_folder)
    return RunRequest(
        cell=recycle_cell,
        out=recycle_out,
        python=options.chosen(pytestconfig, "python"),
        era_shims=options.wants_era_shims(pytestconfig),
        as_root=options.wants_root(pytestconfig),
        own=options.name_own(recycle_cell, gunicorn_settings),
        app_folder=gunicorn_app_folder if recycle_cell.app or gunicorn_settings else None,
    )


@pytest.fixture(scope="session")
def recycle_out(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the records go: --gunicorn-out, the ini setting gunicorn_out, or a temporary folder of this session."""
    named: str | None = pytestconfig.getoption("gunicorn_out")
    if named:
        return pytestconfig.invocation_params.dir / named
    return options.ini_path(pytestconfig, "gunicorn_out") or tmp_path_factory.mktemp("recycle-runs")


# --- running it ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def recycle_launcher(request: pytest.FixtureRequest) -> Iterator[Launcher]:
    """Starts processes through pytest-xprocess."""
    from harness.pytest_plugin import launcher

    launcher.require_plugins(request.config)
    started = launcher.Launcher(request.getfixturevalue("xprocess"))
    yield started
    started.close()


@pytest.fixture(scope="session")
def recycle_cache(recycle_launcher: Launcher) -> RunCache:
    """The runs of this session: tests that want the same one share it."""
    from harness.pytest_plugin.judged_run import RunCache

    return RunCache(recycle_launcher)


@pytest.fixture
def recycle_run(request: pytest.FixtureRequest, recycle_request: RunRequest, recycle_cache: RunCache) -> RecycleRun:
    """A whole run, judged: gunicorn's workers recycle behind h2o under the load of wrk, and watchers record it.

    A release that can't run here skips the test; a failure of the harness or its surroundings is an error.
    """
    from harness.pytest_plugin.outcomes import told_by_pytest

    with told_by_pytest():
        run = recycle_cache.obtain(recycle_request)
    _show(request.node, run)
    return run


@pytest.fixture
def gunicorn_server(
    request: pytest.FixtureRequest, recycle_request: RunRequest, recycle_launcher: Launcher
) -> Iterator[GunicornServer]:
    """A pinned gunicorn that has answered a request; ended with the test."""
    from harness.engine.preparation import settle_load
    from harness.pytest_plugin.outcomes import told_by_pytest
    from harness.pytest_plugin.scene import Scene, require_local

    with told_by_pytest():
        require_local(recycle_request.cell)
    wanted = settle_load(replace(recycle_request, cell=replace(recycle_request.cell, proxy="h2o")))
    try:
        with Scene(wanted, recycle_launcher.make_backend) as scene:
            with told_by_pytest():
                server = scene.start_gunicorn()
            _show(request.node, server)
            yield server
    finally:
        recycle_launcher.tidy()


@pytest.fixture
def h2o_proxy(gunicorn_server: GunicornServer) -> H2oProxy:
    """An h2o in front of ``gunicorn_server`` that has passed on a request; ended with the test."""
    from harness.pytest_plugin.outcomes import told_by_pytest

    with told_by_pytest():
        return gunicorn_server.scene.start_h2o()


@pytest.fixture
def recycle_load(h2o_proxy: H2oProxy) -> Load:
    """A callable that lets wrk (or httpx) ask ``h2o_proxy`` for a while and returns the statuses and errors it saw."""
    from harness.pytest_plugin.load_driver import Load
    from harness.pytest_plugin.outcomes import told_by_pytest

    with told_by_pytest():
        return Load(h2o_proxy)


@pytest.fixture
def load(recycle_load: Load) -> Load:
    """The old name of ``recycle_load``, which another plugin or a project may have, too."""
    warnings.warn(pytest.PytestDeprecationWarning(RENAMED), stacklevel=1)
    return recycle_load


def _show(node: pytest.Item, used: RecycleRun | GunicornServer) -> None:
    node.stash.setdefault(SHOWN, []).append(used)
