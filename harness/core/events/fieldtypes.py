"""The types of the fields of events: how a value of JSON is checked, and how the type is described in words.

The checks of a class are made once, when the first line of its kind is read; a record may have a million lines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import UnionType
from typing import Any, Literal, TypeAlias, Union, get_args, get_origin

Check: TypeAlias = Callable[[Any], Any]
"""Turns a value of JSON into the field's value; raises TypeError or ValueError if it has another type."""

_WORDS: Mapping[Any, str] = {
    int: "a whole number",
    float: "a number",
    str: "a text",
    bool: "true or false",
    type(None): "null",
}


def check_of(hint: Any) -> Check:  # noqa: ANN401 - a type, or what typing makes of several
    """The check for values of this type.

    Raises:
        KeyError: there is no check for this type yet; add one to the table below.
    """
    if _is_json(hint):
        return _as_it_is
    if hint in _SIMPLE:
        return _SIMPLE[hint]
    return _OF_PARTS[get_origin(hint)](*get_args(hint))


def describe(hint: Any) -> str:  # noqa: ANN401 - as above
    """The type in words."""
    if _is_json(hint):
        return "anything"
    if hint in _WORDS:
        return _WORDS[hint]
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Literal:
        return f"one of {', '.join(map(str, parts))}"
    if origin is Mapping:
        return f"an object: {describe(parts[1])} for each {'pid' if parts[0] is int else 'name'}"
    if origin in (tuple, Sequence):
        several = len(parts) == 1 or parts[-1] is Ellipsis
        return f"a list, each {describe(parts[0])}" if several else f"({', '.join(map(describe, parts))})"
    return " or ".join(map(describe, parts))


def _is_json(hint: Any) -> bool:  # noqa: ANN401 - as above
    """Whether this is ``Json``, a union that names itself. Such a value needs no check: parsing gives nothing else."""
    return get_origin(hint) in (Union, UnionType) and bool in get_args(hint)


def _exactly(kind: type) -> Check:
    """The check for exactly this type and no subclass: true is no number."""

    def check(value: Any) -> Any:  # noqa: ANN401 - not looked at yet
        if type(value) is not kind:
            raise TypeError
        return value

    return check


def _number(value: Any) -> Any:  # noqa: ANN401 - as above
    if type(value) not in (int, float):
        raise TypeError
    return value


def _as_it_is(value: Any) -> Any:  # noqa: ANN401 - as above
    return value


def _one_of(*words: str) -> Check:
    known = frozenset(words)

    def check(value: Any) -> Any:  # noqa: ANN401 - as above
        if value not in known:
            raise ValueError
        return value

    return check


def _optional(hint: Any, none: type[None]) -> Check:  # noqa: ANN401 - as above
    inner = check_of(hint)

    def check(value: Any) -> Any:  # noqa: ANN401 - as above
        return None if type(value) is none else inner(value)

    return check


def _mapping(key: type, hint: Any) -> Check:  # noqa: ANN401 - as above
    """The check for an object; the keys of JSON are texts, so they are turned into numbers where needed."""
    inner = check_of(hint)

    def check(value: Any) -> Any:  # noqa: ANN401 - as above
        if type(value) is not dict:
            raise TypeError
        if inner is _as_it_is:
            return value
        return {key(name): inner(one) for name, one in value.items()}

    return check


def _list(hint: Any) -> Check:  # noqa: ANN401 - as above
    inner = check_of(hint)

    def check(value: Any) -> Any:  # noqa: ANN401 - as above
        if type(value) is not list:
            raise TypeError
        return tuple(map(inner, value))

    return check


def _row(*hints: Any) -> Check:
    """The check for a list of a fixed number of values, or of any number where the last type is an ellipsis."""
    if hints[-1] is Ellipsis:
        return _list(hints[0])
    inner = [check_of(hint) for hint in hints]

    def check(value: Any) -> Any:  # noqa: ANN401 - as above
        if type(value) is not list:
            raise TypeError
        return tuple(one(part) for one, part in zip(inner, value, strict=True))

    return check


_SIMPLE: Mapping[Any, Check] = {int: _exactly(int), float: _number, str: _exactly(str), bool: _exactly(bool)}
_OF_PARTS: Mapping[Any, Callable[..., Check]] = {
    Literal: _one_of,
    Union: _optional,
    UnionType: _optional,
    Mapping: _mapping,
    Sequence: _list,
    tuple: _row,
}
"""For the origin of a type, the function that makes a check from its parts."""
