"""Classes that are made with less work are the same as those of the standard library."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import re
from collections.abc import Callable, Mapping
from dataclasses import FrozenInstanceError, asdict, field, fields, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from harness.core import frozen

HARNESS = Path(frozen.__file__).parents[1]
Decorator = Callable[..., Callable[[type], Any]]


def make_classes(dataclass: Decorator) -> dict[str, Any]:
    """The same classes by either decorator."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Plain:
        kind: ClassVar[str] = "plain"
        a: int
        b: str = "b"
        c: tuple[int, ...] = field(default_factory=tuple)
        hidden: int = field(default=3, repr=False, compare=False)

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Heir(Plain):
        d: Mapping[str, int] = field(hash=False)
        e: int = 0

        def __post_init__(self) -> None:
            if self.e < 0:
                raise ValueError("below zero")
            object.__setattr__(self, "e", self.e + 1)

    @dataclass(frozen=True, slots=True, kw_only=True, eq=False)
    class Itself:
        a: int

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Own:
        a: int

        def __repr__(self) -> str:
            return "own"

        def __eq__(self, other: object) -> bool:
            return True

        def __hash__(self) -> int:
            return 7

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Empty:
        pass

    return {cls.__name__: cls for cls in (Plain, Heir, Itself, Own, Empty)}


STANDARD, OURS = make_classes(dataclasses.dataclass), make_classes(frozen.dataclass)
MADE: dict[str, tuple[str, dict[str, Any]]] = {
    "least": ("Plain", {"a": 1}),
    "all": ("Plain", {"a": 1, "b": "x", "c": (1, 2), "hidden": 9}),
    "heir": ("Heir", {"a": 1, "d": {"x": 1}}),
    "heir's own": ("Heir", {"a": 2, "d": {}, "e": 4}),
    "itself": ("Itself", {"a": 1}),
    "own": ("Own", {"a": 1}),
    "empty": ("Empty", {}),
}


@pytest.mark.parametrize("made", MADE)
def test_an_object_is_as_the_original(made: str) -> None:
    name, given = MADE[made]
    theirs, ours = STANDARD[name](**given), OURS[name](**given)
    assert repr(ours).rpartition(".")[2] == repr(theirs).rpartition(".")[2]
    assert asdict(ours) == asdict(theirs)
    assert [one.name for one in fields(ours)] == [one.name for one in fields(theirs)]
    assert (OURS[name](**given) == ours, ours != ours) == (STANDARD[name](**given) == theirs, theirs != theirs)  # noqa: PLR0124
    if name != "Itself":
        assert hash(ours) == hash(theirs)
        assert len({ours, OURS[name](**given)}) == 1
    assert ours != theirs or name == "Own"
    assert not hasattr(ours, "__dict__")
    assert type(ours).__slots__ == type(theirs).__slots__


@pytest.mark.parametrize("made", MADE)
def test_it_is_copied_and_changed_as_the_original(made: str) -> None:
    name, given = MADE[made]
    ours, theirs = OURS[name](**given), STANDARD[name](**given)
    assert asdict(copy.copy(ours)) == asdict(copy.deepcopy(ours)) == asdict(ours)
    if "a" in given:
        assert asdict(replace(ours, a=5)) == asdict(replace(theirs, a=5))


def test_what_differs_is_unequal() -> None:
    plain, heir = OURS["Plain"], OURS["Heir"]
    assert plain(a=1) != plain(a=2)
    assert plain(a=1) == plain(a=1, hidden=5)
    assert plain(a=1) != heir(a=1, d={})
    assert plain(a=1) != 1
    assert OURS["Itself"](a=1) != OURS["Itself"](a=1)


@pytest.mark.parametrize("name", ["a", "kind", "strange"])
def test_nothing_changes_it(name: str) -> None:
    for made in (OURS["Plain"](a=1), STANDARD["Plain"](a=1)):
        with pytest.raises((FrozenInstanceError, TypeError)):
            setattr(made, name, 2)
        with pytest.raises((FrozenInstanceError, TypeError)):
            delattr(made, name)
        assert made.a == 1


@pytest.mark.parametrize("fresh", [True, False])
def test_wrong_arguments_are_refused_from_the_first_object_on(fresh: bool) -> None:
    plain = make_classes(frozen.dataclass)["Plain"]
    if not fresh:
        plain(a=1)
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'a'"):
        plain()
    with pytest.raises(TypeError, match="unexpected keyword argument 'z'"):
        plain(a=1, z=2)
    with pytest.raises(TypeError, match="positional argument"):
        plain(1)


def test_what_the_class_refuses_itself_is_refused() -> None:
    with pytest.raises(ValueError, match="below zero"):
        OURS["Heir"](a=1, d={}, e=-1)


def test_only_what_is_frozen_may_be_made_so() -> None:
    with pytest.raises(TypeError, match="standard library"):
        make_classes(lambda **options: frozen.dataclass(**{**options, "slots": False}))


def test_what_is_set_later_has_no_default() -> None:
    with pytest.raises(TypeError, match="no default"):

        @frozen.dataclass(frozen=True, slots=True, kw_only=True)
        class Set:
            a: int = field(default=1, init=False)


@frozen.dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """At the top of a module, where pickle looks for it."""

    a: int
    b: str = "b"


def test_it_goes_to_another_process() -> None:
    assert pickle.loads(pickle.dumps(Sent(a=1))) == Sent(a=1)  # noqa: S301 - our own


def test_the_harness_makes_its_frozen_classes_so() -> None:
    """Else the time that this saves is lost again by and by."""
    for path in HARNESS.rglob("*.py"):
        text = path.read_text()
        if re.search(r"^from dataclasses import dataclass\b(?! as)", text, re.MULTILINE):
            made = re.findall(r"^@dataclass\b(.*)", text, re.MULTILINE)
            assert not made or not all("frozen=True" in options for options in made), (
                f"{path}: take harness.core.frozen"
            )
