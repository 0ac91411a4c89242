"""The digest by which an environment is found is SHA-256, whichever module has made it."""

from __future__ import annotations

import builtins
import hashlib
import importlib
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core import digests


@given(data=st.binary(max_size=300), more=st.binary(max_size=300))
def test_it_is_the_one_of_hashlib(data: bytes, more: bytes) -> None:
    mine, theirs = digests.sha256(data), hashlib.sha256(data)
    mine.update(more)
    theirs.update(more)
    assert mine.hexdigest() == theirs.hexdigest()


def test_a_python_without_modules_of_its_own_has_it_from_hashlib(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: object) -> ModuleType:
        if name in {"_sha2", "_sha256"}:
            raise ImportError(name)
        return real(name, *rest)  # type: ignore[arg-type] # as they were given

    with monkeypatch.context() as patched:
        patched.setattr(builtins, "__import__", without)
        assert importlib.reload(digests).sha256 is hashlib.sha256
    importlib.reload(digests)
