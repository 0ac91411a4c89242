"""Make's variables become arguments, one each, whatever they contain."""

from __future__ import annotations

import argparse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cli.makevars import OPTIONS, build_arguments, main, needed_tools
from harness.core.errors import EXIT_CHECK_SKIP, EXIT_USAGE, SurroundingsError, UsageError
from harness.provision.tools import Recipe

HOSTILE = [
    "$(shell touch owned)",
    "19.6.0; touch owned",
    "`touch owned`",
    "a path/with spaces",
    "'\"\\",
    "x\ny",
    "%s $$ ${HOME} #",
]


@pytest.mark.parametrize("value", HOSTILE)
def test_a_release_stays_one_argument(value: str) -> None:
    assert build_arguments("reproduce", {"GUNICORN": value}) == ["reproduce", value]


@pytest.mark.parametrize("value", [*HOSTILE, "--help", "-x"])
@pytest.mark.parametrize(("name", "option"), OPTIONS.items())
def test_an_option_s_value_stays_one_argument(name: str, option: str, value: str) -> None:
    assert build_arguments("check", {"GUNICORN": "19.6.0", name: value}) == ["check", "19.6.0", f"{option}={value}"]


@given(st.dictionaries(st.sampled_from(sorted(OPTIONS)), st.text(min_size=1).filter(str.strip)))
def test_argparse_gets_back_what_was_given(values: dict[str, str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("command")
    parser.add_argument("spec")
    for option in OPTIONS.values():
        parser.add_argument(option)
    parsed = vars(parser.parse_args(build_arguments("reproduce", {"GUNICORN": "19.6.0", **values})))
    assert parsed["spec"] == "19.6.0"
    assert {name: parsed[option[2:]] for name, option in OPTIONS.items()} == {**dict.fromkeys(OPTIONS), **values}


def test_empty_variables_are_left_out() -> None:
    environ = {"GUNICORN": "20.0.0", "ARGS": "", **dict.fromkeys(OPTIONS, "")}
    assert build_arguments("reproduce", environ) == ["reproduce", "20.0.0"]


def test_args_are_split_by_the_rules_of_quoting_and_not_expanded() -> None:
    environ = {"GUNICORN": "20.0.0", "ARGS": "--workers 2 --app 'my app:x' \"$(touch owned)\" `id` $HOME"}
    expected = ["--workers", "2", "--app", "my app:x", "$(touch owned)", "`id`", "$HOME"]
    assert build_arguments("reproduce", environ) == ["reproduce", "20.0.0", *expected]


def test_a_command_without_a_release_takes_args_alone() -> None:
    assert build_arguments("doctor", {"ARGS": "--install", "WORKER": "sync"}) == ["doctor", "--install"]


@pytest.mark.parametrize("environ", [{}, {"GUNICORN": ""}, {"GUNICORN": "  "}])
def test_a_missing_release_is_a_usage_error_that_names_the_fix(environ: dict[str, str]) -> None:
    with pytest.raises(UsageError) as caught:
        build_arguments("check", environ)
    assert "make check GUNICORN=19.6.0" in str(caught.value)
    assert caught.value.exit_code == EXIT_USAGE


def test_a_release_that_looks_like_an_option_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="--help"):
        build_arguments("reproduce", {"GUNICORN": "--help"})


def test_an_unclosed_quote_is_a_usage_error_that_shows_the_text() -> None:
    with pytest.raises(UsageError, match="it's") as caught:
        build_arguments("doctor", {"ARGS": "it's"})
    assert "quot" in str(caught.value)


def test_a_usage_error_reaches_the_user_with_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("GUNICORN", raising=False)
    monkeypatch.delenv("ARGS", raising=False)
    assert main(["check"]) == EXIT_USAGE
    assert "make check GUNICORN=19.6.0" in capsys.readouterr().err


@pytest.mark.parametrize(("command", "code"), [("reproduce", 4), ("check", EXIT_CHECK_SKIP)])
def test_a_tool_that_cannot_be_had_is_an_error_of_the_surroundings(
    command: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unavailable(recipe: Recipe) -> None:
        raise SurroundingsError(what=f"no {recipe.name} here")

    monkeypatch.setattr("harness.provision.tools.install_tool", unavailable)
    for name in (*OPTIONS, "ARGS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GUNICORN", "19.6.0")
    assert main([command]) == code
    assert "no h2o here" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("environ", "tools"),
    [
        ({}, ["h2o", "wrk"]),
        ({"PROXY": "", "LOAD": ""}, ["h2o", "wrk"]),
        ({"PROXY": "h2o", "LOAD": "httpx"}, ["h2o"]),
        ({"PROXY": "none"}, ["wrk"]),
        ({"BACKEND": "docker"}, []),
        ({"PROXY": "../../bin/sh", "LOAD": "$(x)"}, []),
    ],
)
def test_only_what_the_run_needs_is_fetched(environ: dict[str, str], tools: list[str]) -> None:
    assert needed_tools(environ) == tools
