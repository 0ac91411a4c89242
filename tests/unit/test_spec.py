"""The grammar of SPEC: five forms, and one clear message for everything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.core.errors import UsageError
from harness.provision.spec import Archive, GitRevision, Latest, Release, Tree, parse_spec


def make_checkout(folder: Path) -> Path:
    (folder / "gunicorn").mkdir(parents=True)
    (folder / "gunicorn" / "__init__.py").write_text("version_info = (19, 6, 0)\n")
    (folder / "setup.py").write_text("")
    return folder


@pytest.mark.parametrize("text", ["19.6.0", "18.0", "27.0.1", "20.0rc1", "1.2.3.post1", "19.7.0.dev0"])
def test_release(text: str) -> None:
    assert parse_spec(text) == Release(version=text)


def test_latest() -> None:
    assert parse_spec("latest") == Latest()


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "19.6.0; touch owned",
        "19.6.0 ",
        "19.6.0\n",
        "$(id)",
        "`id`",
        "-e foo",
        "--help",
        "-",
        "v19.6.0",
        "19.6.*",
        ">=19.6",
        "gunicorn==19.6.0",
        "Latest",
        "٣.٦",
        "https://example.org/gunicorn-19.6.0.tar.gz",
        "git+https://example.org/gunicorn.git",
        "git+file://relative@HEAD",
        "git+file:///does/not/exist@HEAD",
        "file:///etc/passwd",
        "./missing",
        "/missing/gunicorn-19.6.0-py3-none-any.whl",
        "a\x00b",
    ],
)
def test_refused(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(UsageError) as caught:
        parse_spec(text)

    assert repr(text) in caught.value.what
    assert "\n" not in caught.value.what
    assert "git+file:///path@rev" in caught.value.remedy
    assert list(tmp_path.iterdir()) == []


def test_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = make_checkout(tmp_path / "a 'b' $(c)")
    monkeypatch.chdir(tree)

    assert parse_spec(".") == Tree(path=tree)
    assert parse_spec(str(tree)) == Tree(path=tree)


def test_tree_below_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = make_checkout(tmp_path / "gunicorn")
    monkeypatch.setenv("HOME", str(tmp_path))

    assert parse_spec("~/gunicorn") == Tree(path=tree)


def test_a_folder_without_gunicorn(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no gunicorn/__init__\.py"):
        parse_spec(str(tmp_path))


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("gunicorn-19.6.0.tar.gz", "19.6.0"),
        ("gunicorn-18.0.zip", "18.0"),
        ("gunicorn-19.6.0-py2.py3-none-any.whl", "19.6.0"),
        ("gunicorn-27.1.0.dev3+g1a2b3c4-py3-none-any.whl", "27.1.0.dev3+g1a2b3c4"),
    ],
)
def test_archive(name: str, version: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.touch()

    assert parse_spec(str(path)) == Archive(path=path, version=version)


@pytest.mark.parametrize("name", ["bottle-0.12.13.tar.gz", "gunicorn.tar.gz", "gunicorn-19.6.0.txt", "gunicorn-19.6.0"])
def test_a_file_that_is_no_archive_of_gunicorn(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.touch()

    with pytest.raises(UsageError, match="can't be used"):
        parse_spec(str(path))


@pytest.mark.parametrize(
    ("ending", "revision"),
    [
        ("@19.x", "19.x"),
        ("@feature/a@b", "feature/a@b"),
        ("@HEAD@{1}", "HEAD@{1}"),
        ("@HEAD~3", "HEAD~3"),
        ("", "HEAD"),
    ],
)
def test_git_revision(ending: str, revision: str, tmp_path: Path) -> None:
    repository = tmp_path / "re@po"
    repository.mkdir()

    found = parse_spec(f"git+file://{repository}{ending}")

    assert found == GitRevision(repository=repository, revision=revision)


def test_git_path_may_be_quoted(tmp_path: Path) -> None:
    repository = tmp_path / "my repo"
    repository.mkdir()

    assert parse_spec(f"git+file://{tmp_path}/my%20repo@x") == GitRevision(repository=repository, revision="x")


@pytest.mark.parametrize("revision", ["", "-x", "--output=/tmp/owned"])
def test_git_revision_that_is_none(revision: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a revision"):
        parse_spec(f"git+file://{tmp_path}@{revision}")
