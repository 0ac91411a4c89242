"""The classes of the events: to a line and back, and what is said of a line that is none."""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.core.events import (
    bound_path,
    clients,
    course,
    disturbances,
    doings,
    fleet,
    probing,
    recovery,
    servers,
    stop,
)
from harness.core.events.base import ArmEvent, Event, UnknownEvent, encode, state_of
from harness.core.events.clients import Probe
from harness.core.events.parsing import KINDS, UnknownKindError, list_fields, parse_event
from harness.core.events.servers import LiveWorkers, Served
from harness.core.model import Json
from harness.judge.timeline import observe
from maintenance.events import LISTENERS, PAGE, find_emitters, render_page, split_docstring
from tests.unit.events import CELL

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


SIMPLE: dict[object, st.SearchStrategy[Any]] = {
    int: st.integers(),
    float: st.floats(allow_nan=False, allow_infinity=False),
    str: st.text(),
    bool: st.booleans(),
    type(None): st.none(),
}


def values_of(hint: object) -> st.SearchStrategy[Any]:
    """Values that a field of this type may have."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if not parts:
        return SIMPLE[hint]
    if bool in parts and len(parts) > 2:
        return JSON
    if origin is typing.Literal:
        return st.sampled_from(parts)
    inner = [values_of(part) for part in parts if part is not Ellipsis]
    if origin is Mapping:
        return st.dictionaries(*inner, max_size=3)
    if origin in (tuple, Sequence):
        return st.lists(inner[0], max_size=3).map(tuple) if parts[1:] in ((), (...,)) else st.tuples(*inner)
    return st.one_of(inner)


def events_of(kind: type[Event]) -> st.SearchStrategy[Event]:
    hints = typing.get_type_hints(kind)
    return st.builds(kind, **{one.name: values_of(hints[one.name]) for one in dataclasses.fields(kind)})


def parse_line(text: str) -> Event:
    return parse_event(json.loads(text))


def probe(**changes: Any) -> dict[str, Any]:
    line: dict[str, Any] = {"at_ns": 7, "kind": "probe", "via": "proxy", "outcome": "200", "took_ns": 5, **changes}
    return {name: value for name, value in line.items() if value is not ...}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@settings(max_examples=50)  # for each kind
@given(data=st.data())
def test_an_event_survives_its_line(kind: type[Event], data: st.DataObject) -> None:
    event = data.draw(events_of(kind))
    assert parse_line(encode(event)) == event
    assert parse_line(encode(ArmEvent(at_ns=event.at_ns, arm="with", event=event))) == ArmEvent(
        at_ns=event.at_ns, arm="with", event=event
    )


def test_every_class_of_events_can_be_read_and_says_what_it_is() -> None:
    classes = {
        one
        for module in (course, servers, bound_path, disturbances, probing, doings, fleet, recovery, stop, clients)
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, Event) and one is not Event
    }
    assert classes == set(KINDS)
    assert len({(kind.kind, state_of(kind)) for kind in KINDS}) == len(KINDS) == len(classes)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_class_says_what_each_of_its_fields_means_and_somebody_emits_it(kind: type[Event]) -> None:
    about, meanings = split_docstring(kind)
    assert about
    assert list(meanings) == [field.name for field in list_fields(kind)[1:]]
    assert find_emitters()[kind.__name__], f"nobody outside {LISTENERS} makes one"


def test_the_page_in_the_docs_is_that_of_the_classes() -> None:
    assert PAGE.read_text(encoding="utf-8") == render_page(), "make events"


def test_numbers_are_numbers_again_after_they_were_keys() -> None:
    served = parse_line('{"at_ns": 1, "kind": "served", "by_pid": {"101": {"200": 3}}}')
    assert served == Served(at_ns=1, by_pid={101: {"200": 3}})
    assert parse_line('{"at_ns": 1, "kind": "workers", "live": [[2, 20]]}') == LiveWorkers(at_ns=1, live=((2, 20),))


def test_an_event_can_be_neither_changed_nor_given_further_fields() -> None:
    event = Probe(via="proxy", outcome="200", took_ns=1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(event, "outcome", "502")  # noqa: B010 - as a mistake that no type checker sees
    more: Any = {"via": "proxy", "outcome": "200", "took_ns": 1, "more": 1}
    with pytest.raises(TypeError):
        Probe(**more)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (probe(took_ns=...), "probe lacks took_ns"),
        (probe(took_ns="long"), "took_ns of probe must be a whole number"),
        (probe(took_ns=True), "took_ns of probe must be a whole number"),
        (probe(took_ns=1.5), "took_ns of probe must be a whole number"),
        (probe(via="mail"), "via of probe must be one of proxy, direct"),
        (probe(via=["proxy"]), "via of probe must be one of proxy, direct"),
        (probe(outcome=None), "outcome of probe must be a text"),
        (probe(id=7), "id of probe must be a text or null"),
        (probe(at_ns=...), "probe lacks at_ns"),
        (probe(at_ns="now"), "at_ns of probe must be a whole number"),
        (probe(kind=7), "kind must be a text"),
        (probe(arm=7), "arm must be a text"),
        ({"at_ns": 7, "kind": "phase"}, "phase lacks name"),
        ({"at_ns": 7, "kind": "workers", "live": [1, 2]}, "live of workers must be a list, each"),
        ({"at_ns": 7, "kind": "workers", "live": [[1, 2, 3]]}, "live of workers must be a list, each"),
        ({"at_ns": 7, "kind": "served", "by_pid": {"x": {"200": 1}}}, "by_pid of served must be an object"),
        ({"at_ns": 7, "kind": "served", "by_pid": None}, "by_pid of served must be an object"),
        ({"at_ns": 7, "kind": "machine", "foreign_share": "half"}, "foreign_share of machine must be a number"),
        ({"at_ns": 7, "kind": "load", "requests": 1}, "load lacks its state"),
    ],
)
def test_a_line_that_is_none_of_ours_is_a_clear_error(line: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_event(line)


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ({"at_ns": 7, "kind": "nonsense"}, "nonsense"),
        ({"at_ns": 7, "kind": "load", "state": "paused"}, "load (paused)"),
    ],
)
def test_a_kind_without_a_class_fails(line: dict[str, Any], name: str) -> None:
    with pytest.raises(UnknownKindError) as raised:
        parse_event(line)
    assert raised.value.name == name


def test_an_unknown_event_goes_into_another_record_as_it_was() -> None:
    said: dict[str, Json] = {"at_ns": 7, "kind": "nonsense", "what": [1, {"a": None}]}
    assert json.loads(encode(UnknownEvent(at_ns=7, name="nonsense", said=said))) == said


def test_fields_that_a_kind_does_not_have_are_passed_over() -> None:
    assert parse_event(probe(colour="red")) == parse_event(probe())


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@settings(max_examples=50)
@given(data=st.data())
def test_no_event_makes_the_judge_crash(kind: type[Event], data: st.DataObject) -> None:
    assert observe(CELL, [data.draw(events_of(kind))]).cell == CELL
