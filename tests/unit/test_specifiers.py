"""What versions meet a specifier: those that packaging names, for all that stands in the tables and anything else."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

import harness
from harness.provision.releases import list_releases
from harness.provision.specifiers import _read, check_specifier, meets

ROOT = Path(harness.__file__).parent
TABLES = (ROOT / "provision" / "releases.toml", ROOT / "report" / "known" / "causes.toml")
ROW = re.compile(r'^(?:releases|python) = "(.*)"', re.MULTILINE)
OF_TABLES = sorted({one for file in TABLES for one in ROW.findall(file.read_text())})
OTHER_VERSIONS = ("20.0.0rc1", "19.9.dev1", "21.2.0.post1", "1!2", "25.0.0+local", "3.13.0a1", "v20", " 20.1 ")
PYTHONS = tuple(f"3.{minor}{patch}" for minor in range(4, 16) for patch in ("", ".0", ".15", ".99"))

numbers = st.lists(st.integers(0, 21).map(str), min_size=1, max_size=4).map(".".join)
marks = st.sampled_from(["", "rc1", ".dev2", ".post1"])
clauses = st.builds(
    lambda sign, number, ending: f"{sign}{number}{ending if sign in ('==', '!=') else ''}",
    st.sampled_from([">=", "<=", "==", "!=", ">", "<", "~="]),
    numbers.map(lambda number: number if "." in number else f"{number}.0"),
    st.sampled_from(["", ".*"]),
)


def as_packaging_says(version: str, specifier: str) -> bool:
    try:
        return SpecifierSet(specifier).contains(Version(version), prereleases=True)
    except InvalidVersion:
        return False


@pytest.mark.parametrize("specifier", OF_TABLES)
def test_those_of_the_tables(specifier: str) -> None:
    versions = (*(row.version for row in list_releases()), *PYTHONS, *OTHER_VERSIONS, "", "main")
    wrong = [one for one in versions if meets(one, specifier) != as_packaging_says(one, specifier)]
    assert wrong == []


@given(
    version=st.builds("".join, st.tuples(numbers, marks)),
    specifier=st.lists(clauses, max_size=3).map(" , ".join),
)
def test_any_other(version: str, specifier: str) -> None:
    assert meets(version, check_specifier(specifier)) == as_packaging_says(version, specifier)


def test_nothing_is_no_version() -> None:
    assert not meets(None, "")
    assert not meets("main", "")


@pytest.mark.parametrize("specifier", ["20", ">=", "=>20", "==20.*.1", ">=20.*", "== "])
def test_what_is_no_specifier(specifier: str) -> None:
    with pytest.raises(ValueError, match="Invalid specifier"):
        check_specifier(specifier)


def test_the_tables_need_no_more_than_numbers() -> None:
    assert len(OF_TABLES) > len(TABLES)
    assert all(_read(specifier) is not None for specifier in OF_TABLES)
    assert "packaging" in sys.modules, "which this file imports"
