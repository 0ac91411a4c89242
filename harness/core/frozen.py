"""The standard library's ``dataclass`` for classes that never change, with most of its work put off until it is needed.

It compiles six methods of each class, half a millisecond together, and a run imports two hundred such classes, most
of which it never uses. Here all classes share their methods, but for ``__init__``, which is compiled when the first
object is made. The run of ``make bench ARGS=floor`` takes 4 % less time and 6 % less CPU time so (medians of 30
interleaved pairs, Python 3.11). Type checkers see the original; ``fields``, ``replace`` and ``asdict`` work as ever.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(
        *,
        frozen: bool,
        slots: bool,
        kw_only: bool,
        eq: bool = True,
        repr: bool = True,  # noqa: A002 - as the original
    ) -> Callable[[type], type]:
        """As the original, for ``frozen``, ``slots`` and ``kw_only`` classes."""
        if not (frozen and slots and kw_only):
            raise TypeError("made for frozen, slots and kw_only: take the one of the standard library")
        return lambda cls: _make(cls, eq=eq, represented=repr)


def _make(cls: type, *, eq: bool, represented: bool) -> type:
    made: type[Any] = dataclasses.dataclass(init=False, repr=False, eq=False, slots=True, kw_only=True)(cls)
    fields = dataclasses.fields(made)
    absent = dataclasses.MISSING
    if any(not one.init and (one.default is not absent or one.default_factory is not absent) for one in fields):
        raise TypeError("a field without a place among the arguments may have no default here")
    own: dict[str, Any] = {
        "__init__": _put_off(made),
        "__setattr__": _refuse_to_set,
        "__delattr__": _refuse_to_delete,
        "__getstate__": _get_state,
        "__setstate__": _set_state,
    }
    if represented:
        own["__repr__"] = _represent
    if eq:
        compared = _getter([one.name for one in fields if one.compare])
        hashed = _getter([one.name for one in fields if (one.compare if one.hash is None else one.hash)])
        own["__eq__"] = lambda self, other: (
            compared(self) == compared(other) if other.__class__ is self.__class__ else NotImplemented
        )
        own["__hash__"] = lambda self: hash(hashed(self))
    for name, method in own.items():
        if cls.__dict__.get(name) is None:  # which is what a class that defines __eq__ has as __hash__
            setattr(made, name, method)
    return made


def _put_off(made: type) -> Callable[..., None]:
    def __init__(self: object, *given: object, **named: object) -> None:  # noqa: N807 - its name is shown in errors
        compiled = _compile_init(made)
        setattr(made, "__init__", compiled)  # noqa: B010 - a type checker takes it for an instance's
        compiled(self, *given, **named)

    return __init__


def _compile_init(made: type) -> Callable[..., None]:
    """As the original writes it: a parameter and an assignment for each field."""
    absent, parameters, steps = dataclasses.MISSING, [], []
    known: dict[str, Any] = {"_set": object.__setattr__, "_absent": absent}
    for one in dataclasses.fields(made):
        if not one.init:
            continue  # which __post_init__ sets
        name, value, default = one.name, one.name, ""
        if one.default_factory is not absent:
            known[f"_make_{name}"] = one.default_factory
            default, value = "=_absent", f"_make_{name}() if {name} is _absent else {name}"
        elif one.default is not absent:
            known[f"_default_{name}"] = one.default
            default = f"=_default_{name}"
        parameters.append(name + default)
        steps.append(f" _set(self, {name!r}, {value})")
    if hasattr(made, "__post_init__"):
        steps.append(" self.__post_init__()")
    taken = f", *, {', '.join(parameters)}" if parameters else ""
    exec(f"def __init__(self{taken}):\n" + "\n".join(steps or [" pass"]), known)  # noqa: S102 - of our own classes' names
    init: Callable[..., None] = known["__init__"]
    init.__qualname__ = f"{made.__qualname__}.__init__"
    return init


def _getter(names: list[str]) -> Callable[[object], object]:
    return attrgetter(*names) if names else lambda _one: ()


def _fields_of(one: object) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(one)  # type: ignore[arg-type] # it is one of the classes made here


@recursive_repr()
def _represent(self: object) -> str:
    shown = (f"{one.name}={getattr(self, one.name)!r}" for one in _fields_of(self) if one.repr)
    return f"{self.__class__.__qualname__}({', '.join(shown)})"


def _refuse_to_set(_self: object, name: str, _value: object) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(_self: object, name: str) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _get_state(self: object) -> list[object]:
    return [getattr(self, one.name) for one in _fields_of(self)]


def _set_state(self: object, state: list[object]) -> None:
    for one, value in zip(_fields_of(self), state, strict=True):
        object.__setattr__(self, one.name, value)
