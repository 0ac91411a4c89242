"""The upkeep of the catalogue: the index's list beside ours, and how it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timezone
from pathlib import Path

import pytest

from harness.core.errors import SurroundingsError
from harness.core.subprocesses import Done
from harness.provision import installer
from harness.provision.releases import ReleaseRow, list_releases, parse_catalogue
from maintenance.catalogue import __main__ as command
from maintenance.catalogue import index
from maintenance.catalogue.comparison import compare, replace_list
from maintenance.catalogue.index import Upload, list_index, look_up
from maintenance.catalogue.trial import Trial

CATALOGUE = command.CATALOGUE.read_text(encoding="utf-8")


def _rows(*days: tuple[str, str]) -> tuple[ReleaseRow, ...]:
    return tuple(ReleaseRow(version=version, date=date.fromisoformat(day)) for version, day in days)


KNOWN = _rows(("1.0", "2001-01-01"), ("2.0", "2002-02-02"), ("1.1", "2003-03-03"))


def test_equal_lists_do_not_differ() -> None:
    assert not compare(KNOWN, KNOWN)


def test_what_is_new_gone_or_of_another_date_is_named() -> None:
    found = _rows(("1.0", "2001-01-01"), ("1.1", "2003-03-04"), ("3.0", "2004-04-04"))
    difference = compare(KNOWN, found)
    assert difference
    assert (difference.new, difference.gone, difference.moved) == (("3.0",), ("2.0",), ("1.1",))


def test_another_order_is_a_difference() -> None:
    one = _rows(("1.0", "2001-01-01"), ("1.1", "2001-01-01"))
    assert set(compare(one, one[::-1]).moved) == {"1.0", "1.1"}


def test_a_new_list_takes_the_place_of_the_old_and_nothing_else_changes() -> None:
    fresh = (*list_releases(), *_rows(("99.0", "2099-01-01")))
    text = replace_list(CATALOGUE, fresh)
    assert parse_catalogue(text).released == fresh
    assert text.replace('"99.0" = 2099-01-01\n', "") == CATALOGUE
    assert replace_list(text, list_releases()) == CATALOGUE


def test_a_file_without_a_list_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\[released\]"):
        replace_list("schema = 1\n", KNOWN)


def _stair(*uploads: Upload) -> Callable[..., Upload | None]:
    """A look_up whose index has these versions, newest first."""

    def answer(specifier: str, *, base: Path, cwd: Path, refresh: bool) -> Upload | None:
        below = specifier.partition(",<")[2]
        rest = [upload for upload in uploads if not below or float(upload.version) < float(below)]
        assert refresh == (not below), "the first question is the one that must be fresh"
        return rest[0] if rest else None

    return answer


def _upload(version: str, at: str) -> Upload:
    return Upload(version=version, at=datetime.fromisoformat(at).replace(tzinfo=timezone.utc))


def test_the_index_is_walked_down_to_the_oldest_and_sorted_by_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploads = [_upload("2.0", "2003-01-01T10:00:00"), _upload("1.1", "2003-01-01T11:00:00")]
    monkeypatch.setattr(index, "look_up", _stair(*uploads, _upload("1.0", "2001-01-01T00:00:00")))
    said: list[str] = []
    rows = list_index(tmp_path, said.append)
    assert [row.version for row in rows] == ["1.0", "2.0", "1.1"]
    assert said == ["2.0 of 2003-01-01", "1.1 of 2003-01-01", "1.0 of 2001-01-01"]


LOCK = """\
version = "19.6.0"
sdist = { url = "x", upload-time = 2016-05-23T15:26:18Z, hashes = { sha256 = "0" } }
wheels = [{ url = "y", upload-time = 2016-05-23T15:26:17Z, hashes = { sha256 = "1" } }]
"""


def _answer(monkeypatch: pytest.MonkeyPatch, done: Done) -> None:
    monkeypatch.setattr(installer, "run_uv", lambda *_arguments, **_options: done)


def _look(tmp_path: Path) -> Upload | None:
    return look_up(">=1", base=tmp_path / "python", cwd=tmp_path, refresh=True)


def test_the_first_upload_of_a_release_is_its_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _answer(monkeypatch, Done(status=0, stdout=LOCK, stderr=""))
    assert _look(tmp_path) == _upload("19.6.0", "2016-05-23T15:26:17")


def test_no_release_is_none_and_no_index_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _answer(monkeypatch, Done(status=1, stdout="", stderr="error: because there is no version of gunicorn>=1, ..."))
    assert _look(tmp_path) is None
    _answer(monkeypatch, Done(status=1, stdout="", stderr="error: Failed to fetch: `x`"))
    with pytest.raises(SurroundingsError, match="can't be listed"):
        _look(tmp_path)


def test_an_index_that_tells_no_dates_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _answer(monkeypatch, Done(status=0, stdout='version = "19.6.0"\n', stderr=""))
    with pytest.raises(SurroundingsError, match="upload times"):
        _look(tmp_path)


def make_trial(
    release: str = "1",
    python: str = "3.6",
    worker: str = "sync",
    *,
    claim: str | None = None,
    failure: str | None = None,
    shimmed: bool = False,
    era_shims: tuple[str, ...] = (),
) -> Trial:
    return Trial(
        release=release,
        python=python,
        worker=worker,
        claim=claim,
        failure=failure,
        shimmed=shimmed,
        era_shims=era_shims,
    )


@pytest.mark.parametrize(
    ("claim", "failure", "surprising"),
    [(None, None, False), ("it can't", "it died", False), (None, "it died", True), ("it can't", None, True)],
)
def test_a_trial_surprises_where_the_catalogue_says_otherwise(
    claim: str | None, failure: str | None, surprising: bool
) -> None:
    assert make_trial(claim=claim, failure=failure).surprising is surprising


@pytest.mark.parametrize(
    ("shimmed", "era_shims", "surprising"),
    [(True, ("imp-module",), False), (True, (), True), (False, ("imp-module",), True)],
)
def test_it_surprises_too_where_era_shims_are_needed_or_not_against_the_claim(
    shimmed: bool, era_shims: tuple[str, ...], surprising: bool
) -> None:
    assert make_trial(shimmed=shimmed, era_shims=era_shims).surprising is surprising


def test_trials_are_reported_and_a_surprise_is_an_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def trial(release: str, python: str, worker: str, *, say: object) -> Trial:
        if worker == "gthread":
            return make_trial(release, python, worker, shimmed=True, era_shims=("imp-module", "six-importer"))
        return make_trial(release, python, worker, failure="it died" if worker == "gevent" else None)

    monkeypatch.setattr(command, "try_release", trial)
    arguments = ["--run", "--releases", "19.6.0", "--pythons", "3.6", "--workers"]
    assert command.main([*arguments, "sync"]) == 0
    assert command.main([*arguments, "sync,gevent,gthread"]) == 1
    said = capsys.readouterr().out
    assert "19.6.0 3.6 sync: answers\n" in said
    assert "19.6.0 3.6 gthread: answers with imp-module, six-importer\n" in said
    assert "19.6.0 3.6 gevent: it died  BUT: nothing known against it" in said


def test_only_what_is_claimed_to_run_is_tried_where_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def trial(release: str, python: str, worker: str, *, say: object) -> Trial:
        tried.append(f"{release} {python} {worker}")
        return make_trial(release, python, worker)

    monkeypatch.setattr(command, "try_release", trial)
    options = ["--claimed", "--releases", "18.0,19.6.0", "--pythons", "3.6,3.10", "--workers", "gthread,sync"]
    assert command.main(["--run", *options]) == 0
    expected = ["18.0 3.6 sync", "18.0 3.10 sync", "19.6.0 3.6 gthread", "19.6.0 3.6 sync"]
    assert tried == [*expected, "19.6.0 3.10 gthread", "19.6.0 3.10 sync"]


def test_an_unknown_worker_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ending:
        command.main(["--run", "--workers", "meinheld"])
    assert ending.value.code == 2
    assert "'meinheld' is no worker class" in capsys.readouterr().err
