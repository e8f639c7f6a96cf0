"""HighLevel's events: an example of each, as its trigger would give it out."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from junctor.connectors.highlevel import highlevel
from junctor.connectors.highlevel.event_types import EVENTS, FAMILIES
from junctor.connectors.highlevel.examples import examples_of, fields_of, type_of
from junctor.language.connector import Delivery, Example
from junctor.language.examples import example_of, fits, id_of
from tests.support import shared_dir

TRIGGERS = {name: module for name, module in highlevel.modules.items() if module.kind == "instant"}


def test_every_trigger_has_an_example_of_every_event_it_tells() -> None:
    told = {}
    for name, module in TRIGGERS.items():
        assert module.examples is not None, name
        told[name] = tuple(example.name for example in module.examples())
    assert told.pop("watchEvents") == EVENTS
    assert told == {family.name: family.events for family in FAMILIES}
    assert len(EVENTS) == len(set(EVENTS)) == 77


@pytest.mark.parametrize("event", EVENTS)
def test_an_example_is_what_its_trigger_makes_of_such_an_event(event: str) -> None:
    (example,) = examples_of([event])
    assert fits(example.bundle, example.schema) == []
    assert set(example.bundle) == set(example.schema["properties"])
    family = next(family for family in FAMILIES if event in family.events)
    received = Delivery(
        id="d",
        method="POST",
        query=(),
        headers={},
        body=json.dumps(example.bundle).encode(),
        received_at=datetime(2026, 1, 15, tzinfo=UTC),
        settings={"types": [event]},
    )
    for name in ("watchEvents", family.name):
        assert list(TRIGGERS[name].function(received)) == [example.bundle]
    others = [name for name in TRIGGERS if name not in {"watchEvents", family.name}]
    plain = [name for name in others if list(_with(TRIGGERS[name].function, received))]
    assert plain == []


def _with(function: object, received: Delivery) -> list[object]:
    """What a trigger without settings of its own makes of it."""
    return list(function(replace(received, settings={})))  # type: ignore[operator]  # a module's


def test_examples_show_the_fields_that_are_published_and_none_of_their_values() -> None:
    published = json.loads(shared_dir("specs", "highlevel", "webhook_events.json").read_text())
    assert set(published) <= set(EVENTS)
    for event, page in published.items():
        fields = set(fields_of(event)["properties"])
        for schema in page["schemas"]:
            assert set(schema.get("properties", ())) <= fields, event
        (example,) = examples_of([event])
        shown = {value for value in example.bundle.values() if isinstance(value, str)}
        theirs = {
            value
            for each in page["examples"]
            for key, value in each.items()
            if key.endswith("Id") or key in {"id", "email", "phone"}
        }
        assert not shown & {value for value in theirs if isinstance(value, str) and value}, event


def test_ids_differ_by_event_and_field() -> None:
    (one, other) = examples_of(["ContactCreate", "TaskCreate"])
    assert isinstance(one, Example)
    assert one.bundle["id"] != other.bundle["id"] != other.bundle["contactId"]
    assert len(id_of("x")) == 20
    assert (type_of("AppInstall"), type_of("TaskCreate")) == ("INSTALL", "TaskCreate")


@pytest.mark.parametrize(
    ("schema", "bad", "said"),
    [
        ({"type": "number"}, True, "value: True is no number"),
        ({"type": "string", "enum": ["a"]}, "b", "value: 'b' is none of ['a']"),
        ({"type": "array", "items": {"type": "string"}}, [1], "[]: 1 is no string"),
        ({"type": "object", "properties": {"a": {}}}, {"b": 1}, ".b: no such field"),
    ],
)
def test_what_does_not_fit_is_named(schema: dict[str, object], bad: object, said: str) -> None:
    assert fits(bad, schema) == [said]
    assert fits(example_of(schema), schema) == []
